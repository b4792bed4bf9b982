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
import { recordOf } from '../fields/record.js';
import type { CpuHwEvents } from './cpu-hw-events.js';

/** No counter is held. */
export const NO_COUNTER = -1;
/** No event, no leader. */
export const NO_EVENT = -1;
/** The event is not in `cpuc->event_list`. */
export const NOT_LISTED = -1;
/** The event has never been given a counter. */
export const NO_TAG = -1;
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
/** Active to perf, but the NMI handler has stopped its counter; with its mark set the next tick restarts it. */
export const STOPPED = 6;
const STATUSES = ['closed', 'off', 'inactive', 'error', 'added', 'active'] as const;
export const STATUS_NAMES = [...STATUSES, 'throttled', 'stopped'] as const;

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
  /** Bits 0 to 7 of its selector: the event code, which the constraint stands for. */
  readonly eventCode: number;
}

/** What changes while the event lives. */
export class PerfEvent extends recordOf({
  /** One of the constants above. */
  status: { kind: 'number', width: 3, name: 'status', names: [...STATUSES, 'stopped'] },
  /** `hw.interrupts == MAX_INTERRUPTS`: perf counts the event as throttled. */
  mark: { kind: 'number', width: 1, name: 'throttled', kept: 'marks' },
  /** `cpuc->events[]` has no pointer to it for its counter: the NMI handler does not find it. */
  unseen: { kind: 'number', width: 1, name: 'missing in events[]', kept: 'loses_moved_events' },
  /** It holds no counter to perf, and its counter was started all the same. */
  stray: {
    kind: 'number',
    width: 1,
    name: 'started without a counter',
    kept: 'throttles_idle_members',
  },
  /** Its place among the open events of its context; the members of a group stand together, the leader first. */
  rank: { kind: 'rank', name: 'rank', kept: 'reorders', bookkeeping: true },
  /** Its group leader was closed while it was open: it goes on alone, and is not pinned. */
  detached: { kind: 'number', width: 1, name: 'detached', kept: 'detaches' },
  /** Its place in `cpuc->event_list`, or NOT_LISTED. */
  position: {
    kind: 'position',
    name: 'place in event_list',
    initial: NOT_LISTED,
    kept: 'detaches',
    bookkeeping: true,
  },
  /** `hw.last_tag` with `hw.last_cpu`: which use of its place was its own; NO_TAG before the first. */
  tag: { kind: 'tag', name: 'last_tag', initial: NO_TAG, kept: 'mixes', bookkeeping: true },
  /** KVM re-creates a guest counter's event when this changes. */
  preciseIp: { kind: 'number', width: 2, name: 'precise_ip', kept: 'vcpu_events' },
  /** The counter (set bit) the event holds or held last. */
  counter: { kind: 'counter', name: 'hw.idx', initial: NO_COUNTER, kept: 'choices' },
  /** The counter it is to have after the next PMU enable. */
  assigned: { kind: 'counter', name: 'assign[]', initial: NO_COUNTER, kept: 'choices' },
  /** The logical CPU the event is or was last scheduled on. */
  cpu: { kind: 'cpu', name: 'cpu', kept: 'follows' },
  /** The event's wish for MSR_PEBS_DATA_CFG. */
  dataCfg: { kind: 'data_cfg', name: 'PEBS data configuration wanted', kept: 'follows' },
}) {}

/** What kernels may do differently inside perf. */
export interface PerfOptions {
  /** Since 6.16 throttling stops the whole group inside the overflow path, and the tick restarts it as a whole. */
  readonly groupThrottle: boolean;
  /** The tick visits every event (6.1, and mainline until a change posted in November 2023); later only group leaders and lone events. */
  readonly tickVisitsSiblings: boolean;
  /** Before 6.2 disabling an event that holds no counter leaves the PMU alone; later kernels run a section all the same. */
  readonly idleDisableRunsSection: boolean;
  /** 6.1 clears four bits of IA32_FIXED_CTR_CTRL when a fixed counter stops, and leaves the adaptive one. */
  readonly adaptiveBitStays: boolean;
  /**
   * What follows the WRMSR of IA32_FIXED_CTR_CTRL in PMU enable: `reread` (Linux) sets `active_fixed_ctrl_val` to
   * `fixed_ctrl_val` as it is then. Candidate fixes for H11: `written` sets it to what was written and, while that differs,
   * writes again; `handler_clears` lets the NMI handler forget `active_fixed_ctrl_val`; `always` writes in every section.
   */
  readonly fixedCtrl: 'reread' | 'written' | 'handler_clears' | 'always';
  /** Candidate fix: the NMI handler rewrites IA32_PEBS_ENABLE only if the PMU was on when the NMI came. */
  readonly nmiWritesPebsOnlyIfOn: boolean;
  /** Candidate fix: PMU enable writes IA32_PEBS_ENABLE also when `pebs_enabled` is 0. */
  readonly enableAllAlwaysWritesPebs: boolean;
  /** Candidate fix, on top of the one before: PMU enable writes again while `pebs_enabled` is not what it wrote. */
  readonly enableAllRechecksPebs: boolean;
  /** Candidate fix: the NMI handler compares `pebs_enabled` once more after the plain overflows, not only after the drain. */
  readonly nmiComparesPebsLast: boolean;
  /** Up to 5.6 the NMI handler turns PEBS off and on with the counters, instead of writing what a throttle has changed. */
  readonly nmiSwitchesPebs: boolean;
  /** From 6.4 to 6.8 removing the last PEBS event but one forgets the wanted MSR_PEBS_DATA_CFG. */
  readonly removalNarrowsDataCfg: boolean;
  /** 6.16.0 throttles, and starts again, members of a group that are off. */
  readonly throttlesIdleMembers: boolean;
  /** 6.19.0: PMU enable gives a throttled event that must move its new counter, but no pointer in `events[]`. */
  readonly losesMovedEvents: boolean;
}

/** The constants perf works with. */
export interface PerfWorld {
  readonly caps: PmuCaps;
  readonly perfOptions: PerfOptions;
  /** Parallel to the events of the state. */
  readonly eventConfigs: readonly PerfEventConfig[];
}

/** The overflow handler of a vCPU's events: KVM's part of an overflow. */
export interface OverflowHandler {
  overflowed(guestCounter: number, pebs: boolean): void;
}

/** The events, and by vCPU the handler of those it owns. */
export interface PerfState {
  readonly events: readonly PerfEvent[];
  readonly vcpus: readonly OverflowHandler[];
}

/** One logical CPU as perf sees it. */
export interface PerfCpu {
  readonly index: number;
  readonly hardware: Hardware;
  readonly cpuc: CpuHwEvents;
}

/** Whether the event leads itself: a lone event, a group leader, or one whose leader is gone. */
export function isLeader(event: PerfEvent, config: PerfEventConfig): boolean {
  return config.leader === NO_EVENT || event.detached !== 0;
}

/** The name of an event's status; a stopped one is throttled while its mark says that the tick will restart it. */
export function statusName(event: PerfEvent): (typeof STATUS_NAMES)[number] {
  if (event.status === STOPPED) {
    return event.mark ? 'throttled' : 'stopped';
  }
  return STATUSES[event.status]!;
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
