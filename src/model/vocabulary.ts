/** The closed lists of worlds to explore. Constants only: schemas list them, and nothing else is shared with JSON. */

export const ACTOR_KINDS = [
  'nmi_throttle',
  'foreign_nmi',
  'tick',
  'event_add',
  'event_del',
  'event_enable',
  'event_disable',
  'pmu_section',
  'guest_wrmsr',
  'migrate',
  'vmfail',
  'fastpath_reenter',
  'bpf_snapshot',
  'microcode_load',
  'nmi_reset',
] as const;
export type ActorKind = (typeof ACTOR_KINDS)[number];

/** What each does whenever it acts, in a few words for the API's description. */
export const ACTOR_ACTS: Readonly<Record<ActorKind, string>> = {
  nmi_throttle: 'a counter overflows, and its NMI may throttle the event',
  foreign_nmi: 'an NMI from another source',
  tick: 'the timer tick',
  event_add: 'opens and enables a closed event',
  event_del: 'closes an event',
  event_enable: 'enables an event',
  event_disable: 'disables an event',
  pmu_section: 'perf_pmu_disable() and perf_pmu_enable() with nothing in between',
  guest_wrmsr: "the guest flips a counter's bit in its IA32_PERF_GLOBAL_CTRL or IA32_PEBS_ENABLE",
  migrate: 'a vCPU moves to another CPU',
  vmfail: 'VMLAUNCH fails',
  fastpath_reenter: 'a VM-exit that KVM handles in its fastpath',
  bpf_snapshot: 'a BPF program takes a branch snapshot in NMI context',
  microcode_load: 'a late microcode load that isolates PEBS',
  nmi_reset: 'an NMI whose status never clears, so that the handler resets the PMU',
};

export const NMI_TIMINGS = ['prompt', 'late'] as const;
export type NmiTiming = (typeof NMI_TIMINGS)[number];

/** How many worlds a campaign walks through. */
export const CELLS_MAX = 1000;

/** Of how many states the graph is looked at as a whole. */
export const GRAPH_STATES_MAX = 2_000_000;

/** How many nodes a map of it has at most. */
export const MAP_NODES_MAX = 1000;

/** How many states are listed around one. */
export const NEIGHBOURS_MAX = 200;

/** A schedule with more steps is counted, not told. */
export const STEPS_TOLD_MAX = 2000;

/** Who does a step of a story. */
export const STORY_ACTORS = ['kvm', 'perf', 'nmi', 'cpu', 'guest', 'host'] as const;
export type StoryActor = (typeof STORY_ACTORS)[number];

/** The formats in which a counterexample, the path to a state or the trace of a host can be taken away. */
export const EXPORT_FORMATS = [
  'text',
  'mermaid',
  'vcd',
  'chrome',
  'itf',
  'ftrace',
  'jsonl',
] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** The formats in which the graph of an exploration can be taken away, and the most states that `aut` writes. */
export const GRAPH_FORMATS = ['aut', 'dot', 'graphml'] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];
export const AUT_STATES_MAX = 50_000;
