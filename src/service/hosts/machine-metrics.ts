/** The counts of the simulated machines, for Prometheus. */
import { platformClass } from '../../pmu/arch/cpu-model.js';
import {
  EVENTSEL,
  KVM_WRMSR,
  msrName,
  VIA_NAMES,
  VM_ENTRY_LOAD,
  VM_EXIT_LOAD,
} from '../../pmu/arch/msr.js';
import { CAUSE_NAMES, ROUND_TRIP, type WriteSink } from '../../pmu/arch/write-sink.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import type { Meters } from '../metrics/meters.js';
import type { OnTally } from './host-queue.js';

/** What violates an invariant; `host` counts episodes. */
const ORIGINS = ['host', 'exploration', 'campaign'] as const;

/** A scrape stays small: of more pairs of kernel and class the rest are counted as `other`. */
const PAIRS_MAX = 24;

/** Totals over all hosts. */
export function machineMetrics(meters: Meters): OnTally {
  // An alert on an increase needs a series before the first violation.
  for (const origin of ORIGINS) {
    for (const { id } of INVARIANTS) {
      meters.count('pebslab_violations_total', { invariant: id, origin }, 0);
    }
  }
  const pairs = new Set<string>();
  return ({ sink, roundTrips, entries, violations }, { kernel, world, state }) => {
    meters.count('pebslab_vm_entries_total', {}, entries);
    meters.count('pebslab_nmis_total', {}, sink.nmis);
    meters.count('pebslab_throttles_total', {}, sink.throttles);
    for (const { labels, writes } of writesOf(sink)) {
      meters.count('pebslab_msr_writes_total', labels, writes);
    }
    const written = [KVM_WRMSR, VM_ENTRY_LOAD, VM_EXIT_LOAD]
      .map((via) => sink.totalOf(ROUND_TRIP, via))
      .reduce((sum, writes) => sum + writes, 0);
    if (roundTrips > 0 || written > 0) {
      const pair = {
        kernel: kernel.id,
        platform_class: platformClass(world.caps, state.noIsolation === 0),
      };
      const name = Object.values(pair).join(' ');
      if (pairs.size < PAIRS_MAX) pairs.add(name);
      const labels = pairs.has(name) ? pair : { kernel: 'other', platform_class: 'other' };
      meters.count('pebslab_round_trips_total', labels, roundTrips);
      meters.count('pebslab_round_trip_msr_writes_total', labels, written);
    }
    INVARIANTS.forEach(({ id: invariant }, at) => {
      const times = violations[at] ?? 0;
      if (times === 0) return;
      meters.count('pebslab_violations_total', { invariant, origin: 'host' }, times);
    });
  };
}

interface Writes {
  readonly labels: Readonly<Record<'msr' | 'via' | 'cause', string>>;
  readonly writes: number;
}

/** The counts that are not 0, the like registers of all counters together. */
export function writesOf(sink: WriteSink): Writes[] {
  const all = new Map<string, Writes>();
  for (const [code, cause] of CAUSE_NAMES.entries()) {
    for (const { msr, via, count } of sink.counted(code)) {
      const labels = { msr: registerLabel(msr), via: VIA_NAMES[via]!, cause };
      const key = Object.values(labels).join(' ');
      all.set(key, { labels, writes: count + (all.get(key)?.writes ?? 0) });
    }
  }
  return [...all.values()];
}

function registerLabel(msr: number): string {
  return msr < EVENTSEL ? msrName(msr) : msrName(msr).replace(/\d+$/, 'x');
}
