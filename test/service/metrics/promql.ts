/** PromQL as Prometheus's own grammar reads it. */
import { parser } from '@prometheus-io/lezer-promql';

export interface Read {
  /** Whether the grammar takes it. */
  readonly ok: boolean;
  readonly metrics: readonly string[];
}

export function read(expression: string): Read {
  const metrics: string[] = [];
  let ok = true;
  parser.parse(expression).iterate({
    enter: ({ type, name, from, to, node }) => {
      if (type.isError) ok = false;
      // Labels are identifiers of other names.
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') {
        metrics.push(expression.slice(from, to));
      }
    },
  });
  return { ok, metrics };
}

/** As Grafana asks it. */
export function filledIn(expression: string, range = '5m'): string {
  return expression
    .replaceAll('$__rate_interval', range)
    .replaceAll('$__range', range)
    .replaceAll('$job', '.*');
}
