/**
 * What the routes ask for their work. Routes reach it as `app.services`; tests may hand other
 * services to `buildApp`. Here is the one place that makes the real ones.
 */
import type { FastifyInstance } from 'fastify';
import { Counter, Gauge } from 'prom-client';
import { MSR_CODES, msrName, VIA_CODES, VIA_NAMES } from '../pmu/arch/msr.js';
import { INVARIANTS } from '../pmu/invariants/index.js';
import type { Tally } from '../pmu/live/tally.js';
import { Explorations } from '../service/exploration/explorations.js';
import type { Host } from '../service/host.js';
import { Hosts } from '../service/hosts.js';
import { MemoryHostStore } from '../store/host-store.js';

declare module 'fastify' {
  interface FastifyInstance {
    services: Services;
  }
}

/** Each use case of src/service is a member. */
export interface Services {
  readonly hosts: Hosts;
  readonly explorations: Explorations;
}

export function useServices(app: FastifyInstance, services: Partial<Services> = {}): void {
  app.decorate('services', { ...createServices(app), ...services });
}

/** May add metrics to `app.metrics.registry` and checks to `app.readiness`. */
function createServices(app: FastifyInstance): Services {
  const store = new MemoryHostStore<Host>();
  const count = machineMetrics(app, () => store.list().length);
  const explorations = new Explorations();
  app.addHook('onClose', () => explorations.close());
  return { hosts: new Hosts(store, count), explorations };
}

/** The counts of all hosts together; labels are MSRs, mechanisms and invariants, never ids. */
function machineMetrics(app: FastifyInstance, hostCount: () => number): (tally: Tally) => void {
  const registers = [app.metrics.registry];
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
    help: 'States in which an invariant was false',
    labelNames: ['invariant'] as const,
    registers,
  });
  new Gauge({
    name: 'pebslab_hosts',
    help: 'Simulated hosts',
    registers,
    collect() {
      this.set(hostCount());
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
