/** The counts of one host, for Prometheus: the same as the JSON has. */
import { INVARIANTS } from '../../pmu/invariants/index.js';
import type { MetricFamily } from '../metrics/meters.js';
import type { Host } from './host.js';
import { hostItem } from './host-summary.js';
import { metricsItem } from './host-views.js';
import { writesOf } from './machine-metrics.js';

type Samples = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

export function hostFamilies(host: Host): MetricFamily[] {
  const { name = '', kernel, cpu_model, platform_class } = hostItem(host);
  const metrics = metricsItem(host);
  const { msr_writes: _, estimated_cycles, ...byVia } = metrics.per_round_trip;
  const violations = INVARIANTS.map(
    ({ id }, at) => [{ invariant: id }, host.tally.violations[at]!] as const,
  );
  const writes = writesOf(host.tally.sink).map((each) => [each.labels, each.writes] as const);
  const averages = Object.entries(byVia).map(([via, value]) => [{ via }, value] as const);
  return [
    family('info', 'gauge', 'Always 1; which host this is', [
      [{ id: host.id, name, kernel, cpu_model, platform_class }, 1],
    ]),
    family('round_trips_total', 'counter', 'VM-exits that followed a VM-entry', [
      [{}, metrics.round_trips],
    ]),
    family('msr_writes_total', 'counter', 'MSR writes', writes),
    family(
      'msr_writes_per_round_trip',
      'gauge',
      'MSR writes of VM-entry and VM-exit, averages over the round trips',
      averages,
    ),
    family('estimated_cycles_total', 'counter', 'Estimated cost of the writes of round trips', [
      [{}, metrics.estimated_cycles],
    ]),
    family('estimated_cycles_per_round_trip', 'gauge', 'The same, the average of a round trip', [
      [{}, estimated_cycles],
    ]),
    family('nmis_total', 'counter', 'NMIs', [[{}, metrics.nmis]]),
    family('throttles_total', 'counter', 'Throttled events', [[{}, metrics.throttles]]),
    family('violations_total', 'counter', 'Times an invariant came to fail', violations),
  ].filter(({ samples }) => samples.length > 0);
}

function family(
  what: string,
  type: MetricFamily['type'],
  help: string,
  samples: Samples,
): MetricFamily {
  const name = `pebslab_host_${what}`;
  return { name, type, help, samples: samples.map(([labels, value]) => ({ name, labels, value })) };
}
