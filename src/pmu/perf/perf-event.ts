/**
 * A hardware perf event: what was asked for, and where it stands.
 *
 * Models: `struct perf_event` with `hw_perf_event` (Linux include/linux/perf_event.h); the configuration rules of
 * `x86_pmu_hw_config` and `intel_pmu_hw_config` (arch/x86/events). All events are pinned: one that gets no counter
 * goes to the error state instead of being multiplexed.
 * Leaves out: event codes, sample types beyond the PEBS data configuration, inheritance, cgroups.
 */
import type { CounterSet } from '../arch/counter-set.js';
import type { PmuCaps } from '../arch/cpu-model.js';
import type { Hardware } from '../arch/hardware.js';
import type { CpuHwEvents } from './cpu-hw-events.js';

/** No counter is held. */
export const NO_COUNTER = -1;
/** No event, no leader. */
export const NO_EVENT = -1;
/** The event belongs to the host, not to a vCPU. */
export const HOST_OWNED = -1;

/** Where an event stands; the order matters: from ADDED on it holds a counter. */
export const CLOSED = 0;
export const OFF = 1;
/** Enabled, but its task or its group leader is not scheduled. */
export const INACTIVE = 2;
/** Enabled and pinned, but perf found no counter. */
export const ERROR = 3;
/** Holds a counter and is to be started by PMU enable. */
export const ADDED = 4;
export const ACTIVE = 5;
/** Stopped by the NMI handler until the next tick. */
export const THROTTLED = 6;
export const STATUS_NAMES = [
  'closed',
  'off',
  'inactive',
  'error',
  'added',
  'active',
  'throttled',
] as const;

/** What was asked for; constant while the event is open. */
export interface PerfEventConfig {
  /** The logical CPU of a host event; ignored for the events of a vCPU, which follow it. */
  readonly cpu: number;
  /** Index of the owning vCPU, or HOST_OWNED. */
  readonly owner: number;
  /** The guest counter (set bit) that a vCPU's event stands for, or NO_COUNTER. */
  readonly guestCounter: number;
  /** The counters the event may be scheduled on. */
  readonly constraint: CounterSet;
  /** The same while precise_ip is 3; on some models that level exists on one counter only. */
  readonly constraintPrecise3: CounterSet;
  readonly excludeHost: boolean;
  readonly excludeGuest: boolean;
  /** The event has a sample period or frequency; a counting event is never throttled. */
  readonly sampling: boolean;
  readonly freq: boolean;
  readonly largePebs: boolean;
  /** `attr.aux_output`: PEBS records go to Intel PT. */
  readonly auxOutput: boolean;
  /** Index of the group leader, or NO_EVENT. */
  readonly leader: number;
}

/** What changes while the event lives. */
export class PerfEvent {
  status = CLOSED;
  /** The logical CPU the event is or was last scheduled on. */
  cpu = 0;
  /** `hwc->idx`: the counter (set bit) the event holds. */
  counter = NO_COUNTER;
  /** `cpuc->assign[]`: the counter it is to move to at the next PMU enable. */
  assigned = NO_COUNTER;
  /** `attr.precise_ip`; KVM re-creates a guest counter's event when this changes. */
  preciseIp = 0;
  /** The event's wish for MSR_PEBS_DATA_CFG. */
  dataCfg = 0;

  copyFrom(from: PerfEvent): void {
    this.status = from.status;
    this.cpu = from.cpu;
    this.counter = from.counter;
    this.assigned = from.assigned;
    this.preciseIp = from.preciseIp;
    this.dataCfg = from.dataCfg;
  }
}

/** What kernels may do differently inside perf. */
export interface PerfOptions {
  /** Since 6.16 throttling stops the whole group inside the overflow path. */
  readonly groupThrottle: boolean;
  /** Candidate fix: the NMI handler rewrites IA32_PEBS_ENABLE only if the PMU was on when the NMI came. */
  readonly nmiWritesPebsOnlyIfOn: boolean;
  /** Candidate fix: PMU enable writes IA32_PEBS_ENABLE also when `pebs_enabled` is 0. */
  readonly enableAllAlwaysWritesPebs: boolean;
  /** Up to 5.6 the NMI handler turns PEBS off and on with the counters, instead of writing what a throttle has changed. */
  readonly nmiSwitchesPebs: boolean;
  /** From 6.4 to 6.8 removing the last PEBS event but one forgets the wanted MSR_PEBS_DATA_CFG. */
  readonly removalNarrowsDataCfg: boolean;
}

/** The constants perf works with. */
export interface PerfWorld {
  readonly caps: PmuCaps;
  readonly perfOptions: PerfOptions;
  /** Parallel to the events of the state. */
  readonly eventConfigs: readonly PerfEventConfig[];
}

/** One logical CPU as perf sees it. */
export interface PerfCpu {
  readonly index: number;
  readonly hardware: Hardware;
  readonly cpuc: CpuHwEvents;
}

/** Whether the event holds a counter of this CPU. */
export function isScheduled(event: PerfEvent, cpu: PerfCpu): boolean {
  return event.status >= ADDED && event.cpu === cpu.index;
}

/** The counters an event may be scheduled on now. */
export function constraintOf(event: PerfEvent, config: PerfEventConfig): CounterSet {
  return event.preciseIp === 3 ? config.constraintPrecise3 : config.constraint;
}

/** The counter bit an event holds, as a set. */
export function counterSet(event: PerfEvent): CounterSet {
  return 1 << event.counter;
}

/** The bits of IA32_PEBS_ENABLE that a started event wants. */
export function pebsBits(event: PerfEvent, config: PerfEventConfig, viaPt: CounterSet): CounterSet {
  if (event.preciseIp === 0) {
    return 0;
  }
  return counterSet(event) | (config.auxOutput ? viaPt : 0);
}
