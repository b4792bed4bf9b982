/**
 * What a field of the machine is: a number, with a kind that says how it is shown, packed and renamed.
 *
 * The fields of a record stand in one list, in the file of what it models (`arch/hardware.ts`, `perf/cpu-hw-events.ts`, …).
 * Accessors, copies, packed states, symmetry, the differences that a counterexample shows and the stored image of a host
 * all follow from these lists.
 */
export type Kind =
  /** A small number; `width` bits hold it. */
  | 'number'
  /** A set of host counters. */
  | 'counters'
  /** A value of IA32_PERF_GLOBAL_CTRL. */
  | 'global_ctrl'
  /** A value of IA32_FIXED_CTR_CTRL. */
  | 'fixed_ctrl'
  /** A set of guest counters. */
  | 'guest_counters'
  /** The identity of an address; 0 is null. */
  | 'address'
  /** A value of MSR_PEBS_DATA_CFG. */
  | 'data_cfg'
  /** The number of a logical CPU. */
  | 'cpu'
  /** The number of a vCPU, or -1. */
  | 'vcpu'
  /** What a CPU's operation is about: an event, a vCPU or a set of contexts. */
  | 'target'
  /** How far a CPU's operation has come in its list of events. */
  | 'cursor'
  /** The number of a counter, or -1. */
  | 'counter'
  /** A place among the events, from 0. */
  | 'rank'
  /** A place in `event_list`, or -1. */
  | 'position'
  /** A use of a place in `event_list`, or -1. */
  | 'tag'
  /** Uses of each place in `event_list`. */
  | 'tags'
  /** MSR codes, as bits. */
  | 'msrs'
  /** MSR codes in the order of a list. */
  | 'msr_order'
  /** By MSR code: values of the switched MSRs, each of the kind of its MSR. */
  | 'msr_values'
  /** The same in a load area, where IA32_PERF_GLOBAL_CTRL is only on CPUs without VM-entry and VM-exit controls for it. */
  | 'area_values';

/**
 * When a packed state keeps a field. What it does not keep is `constant` in a search, `follows` from other fields, or is
 * `forgotten`: nothing in a search depends on it.
 */
export type Kept =
  | 'always'
  | 'constant'
  | 'follows'
  | 'forgotten'
  /** NMIs can come late, so that overflows stay latched. */
  | 'overflows'
  /** And the tick can come, which clears what was throttled. */
  | 'ticks_and_overflows'
  /** Operations go through lists of events that do not say how far they are. */
  | 'walks_lists'
  /** Guests may enable counters. */
  | 'guests'
  /** Guests' counters can overflow. */
  | 'guest_overflows'
  /** Counters can be on for no active event, or off for one. */
  | 'strays'
  /** Bits of `pebs_enabled` do not follow from the active events. */
  | 'pebs_strays'
  /** Some event has a choice of counters. */
  | 'choices'
  /** Events can be put on the list beside running ones. */
  | 'mixes'
  /** An event's mark does not follow from its status. */
  | 'marks'
  /** The events' order can change. */
  | 'reorders'
  /** Members of a group can outlive its leader. */
  | 'detaches'
  /** The event belongs to a vCPU. */
  | 'vcpu_events'
  /** The kernel has the bug of that name (PerfOptions). */
  | 'loses_moved_events'
  | 'throttles_idle_members';

export interface Field {
  readonly kind: Kind;
  /** As the kernel or the SDM calls it. */
  readonly name: string;
  /** In a new record; 0 where absent. */
  readonly initial?: number;
  /** Of an array. */
  readonly length?: number;
  /** Bits, of a `number`. */
  readonly width?: number;
  /** What the values of a `number` stand for. */
  readonly names?: readonly string[];
  /** It keeps the machine going and tells a reader nothing: a story leaves its changes out. */
  readonly bookkeeping?: true;
  /** `always` where absent. */
  readonly kept?: Kept;
  /** The micro-steps after which it matters, by the beginnings of their names; it is 0 otherwise. */
  readonly during?: readonly string[];
}
