/**
 * Metric families as Prometheus reads them: the text format 0.0.4, or OpenMetrics 1.0.0 for a scraper that prefers it.
 *
 * Both are written here from the same families, so that names and values never differ between them. (prom-client's own
 * OpenMetrics renames the counters of the registry for good.)
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply } from 'fastify';
import type { MetricFamily } from '../../service/metrics/meters.js';
import { takesGzip } from '../answer/encoding.js';

export const TEXT_TYPE = 'text/plain';
export const OPENMETRICS_TYPE = 'application/openmetrics-text';

/** Prometheus 3 refuses a scrape whose type it does not know exactly. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  [TEXT_TYPE]: 'text/plain; version=0.0.4; charset=utf-8',
  [OPENMETRICS_TYPE]: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** OpenMetrics only where its version 1.0.0 is named with a higher weight than the text format; never a refusal. */
export function expositionType(accept = ''): string {
  const weights = { open: 0, text: 0 };
  for (const range of accept.slice(0, 2000).toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    const value = (name: string): string | undefined =>
      parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1);
    const weight = Number(value('q') ?? 1);
    if (type === OPENMETRICS_TYPE && (value('version') ?? '1.0.0') === '1.0.0') {
      weights.open = Math.max(weights.open, weight);
    } else if (type === TEXT_TYPE) {
      weights.text = Math.max(weights.text, weight);
    }
  }
  return weights.open > weights.text ? OPENMETRICS_TYPE : TEXT_TYPE;
}

/** Sends families, compressed where the client takes that. */
export async function sendExposition(
  reply: FastifyReply,
  families: readonly MetricFamily[],
  type: string,
): Promise<FastifyReply> {
  const text = exposition(families, type);
  reply.header('content-type', CONTENT_TYPES[type]).header('vary', 'accept, accept-encoding');
  if (!takesGzip(reply.request)) return reply.send(text);
  const packed = await promisify(gzip)(text);
  return reply.header('content-encoding', 'gzip').send(packed);
}

export function exposition(families: readonly MetricFamily[], type: string): string {
  const open = type === OPENMETRICS_TYPE;
  const text = families.map((family) => familyText(family, open)).join('');
  return open ? `${text}# EOF\n` : text;
}

/** The two differ in one thing: OpenMetrics names a counter without the suffix of its samples. */
function familyText({ name, help, type, samples }: MetricFamily, open: boolean): string {
  const family = open && type === 'counter' ? name.replace(/_total$/, '') : name;
  const lines = samples.map(
    (sample) => `${sample.name}${labelText(sample.labels)} ${number(sample.value)}\n`,
  );
  return `# HELP ${family} ${escaped(help)}\n# TYPE ${family} ${type}\n${lines.join('')}`;
}

function labelText(labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(String(value)).replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function number(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
