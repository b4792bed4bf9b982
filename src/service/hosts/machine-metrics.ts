/** The counts of the simulated machines, for Prometheus. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { MSR_CODES, msrName, VIA_CODES, VIA_NAMES } from '../../pmu/arch/msr.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import type { Tally } from '../../pmu/stepping/tally.js';

/** Totals over all hosts; labels are MSRs, mechanisms and invariants, never ids. */
export function machineMetrics(
  registry: Registry,
  hostCount: () => Promise<number>,
): (tally: Tally) => void {
  const registers = [registry];
  const transitions = new Counter({
    name: 'pebslab_round_trips_total',
    help: 'VM-exits that followed a VM-entry, over all hosts',
    registers,
  });
  const writes = new Counter({
    name: 'pebslab_msr_writes_total',
    help: 'Simulated MSR writes by register and mechanism',
    labelNames: ['msr', 'via'] as const,
    registers,
  });
  const nmis = new Counter({ name: 'pebslab_nmis_total', help: 'Simulated NMIs', registers });
  const throttles = new Counter({
    name: 'pebslab_throttles_total',
    help: 'Events that a simulated NMI handler throttled',
    registers,
  });
  const violations = new Counter({
    name: 'pebslab_violations_total',
    help: 'How often an invariant went from holding to violated on a CPU',
    labelNames: ['invariant'] as const,
    registers,
  });
  new Gauge({
    name: 'pebslab_hosts',
    help: 'Simulated hosts',
    registers,
    async collect() {
      // While the database is unavailable the gauge keeps its last value.
      const count = await hostCount().catch(() => undefined);
      if (count !== undefined) this.set(count);
    },
  });
  return ({ sink, roundTrips, violations: found }) => {
    transitions.inc(roundTrips);
    nmis.inc(sink.nmis);
    throttles.inc(sink.throttles);
    for (let msr = 0; msr < MSR_CODES; msr += 1) {
      for (let via = 0; via < VIA_CODES; via += 1) {
        const written = sink.count(msr, via);
        if (written > 0) writes.inc({ msr: msrName(msr), via: VIA_NAMES[via] ?? '' }, written);
      }
    }
    INVARIANTS.forEach(({ id }, at) => {
      const times = found[at] ?? 0;
      if (times > 0) violations.inc({ invariant: id }, times);
    });
  };
}
