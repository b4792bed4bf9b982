/** Overflows and NMIs, wherever one can land. */
import {
  type CounterSet,
  counterName,
  counterNames,
  FIXED_BIT,
} from '../../pmu/arch/counter-set.js';
import { running } from '../../pmu/arch/hardware.js';
import * as actions from '../../pmu/machine/actions.js';
import { isInGuest } from '../../pmu/machine/micro-step.js';
import type { LogicalCpu } from '../../pmu/machine/state.js';
import { NMI_SOURCE } from '../../pmu/machine/step-sources.js';
import { ACTIVE } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from '../explored-world.js';
import { allows, INTERRUPTIBLE, ofCounters, unless } from './guards.js';
import { act, acts, refusal } from './machine-actions.js';
import type { Ask, Candidate, Guard, StepKind } from './step-kind.js';

/** Overflows whose NMI is on its way. */
function latched({ hardware }: LogicalCpu): CounterSet {
  return hardware.status | hardware.dsRecords;
}

/** Those of them that still have an active event: a late NMI can throttle it. */
function latchedActive({ cpu }: Candidate): CounterSet {
  return latched(cpu) & cpu.cpuc.activeMask;
}

function hasLateNmis({ spec }: ExploredWorld): boolean {
  return spec.nmi_timing === 'late';
}

/** What NMIs that perf handles have in common; the actor is that of most. */
const BY_NMI = {
  actor: 'nmi_throttle',
  when: INTERRUPTIBLE,
  by: 'nmi',
  source: NMI_SOURCE,
} as const satisfies Partial<StepKind>;

/** What must hold for a counter to overflow. */
const OVERFLOWS = [
  ofCounters(({ cpu }) => running(cpu.hardware), 'the counter does not count'),
  ofCounters(({ cpu }) => cpu.cpuc.activeMask, 'the counter has no active event'),
  // A PEBS event overflows into its buffer only while its bit in the register is set, and else raises no interrupt.
  ofCounters(
    ({ world, cpu: { hardware, cpuc } }) =>
      world.caps.pebsEnableMsr ? ~cpuc.pebsEnabled | hardware.pebsEnable : ~0,
    'its bit in IA32_PEBS_ENABLE is clear, so it writes no record',
  ),
];

/** An NMI in which events are throttled. */
function throttling(throttled: Ask<CounterSet>) {
  return {
    ...BY_NMI,
    effect: (candidate, sink) => act(candidate, sink, actions.NMI, 0, throttled(candidate)),
    script: (candidate) => ({ nmi: { throttle: counterNames(throttled(candidate)) } }),
  } as const satisfies Partial<StepKind>;
}

/** An NMI in which the event of one counter is throttled. */
const THROTTLING_NMI = {
  ...throttling(({ target }) => 1 << target),
  about: 'counter',
} as const satisfies Partial<StepKind>;

const OVERFLOW_AND_THROTTLE: StepKind = {
  ...THROTTLING_NMI,
  isIn: (explored) => !hasLateNmis(explored),
  guards: [
    ...OVERFLOWS,
    unless((candidate) => refusal(candidate, actions.NMI, 1 << candidate.target)),
  ],
  words: ({ target }) => `${counterName(target)} overflows and the NMI throttles its event`,
};

const OVERFLOW: StepKind = {
  ...BY_NMI,
  isFree: true,
  isIn: hasLateNmis,
  about: 'counter',
  tracedAs: 'overflow',
  guards: [...OVERFLOWS, ofCounters(({ cpu }) => ~latched(cpu), 'its overflow is latched already')],
  effect: (candidate, sink) => act(candidate, sink, actions.LATCH, 1 << candidate.target),
  words: ({ target }) => `${counterName(target)} overflows; PMI pending`,
  script: ({ target }) => ({ overflow: counterNames(1 << target) }),
};

const NMI_ON_ITS_WAY: Guard = {
  holds: ({ cpu }) => latched(cpu) !== 0,
  words: 'no overflow is latched: no NMI is on its way',
};

/** An NMI in which nothing is throttled. */
const PLAIN_NMI = {
  ...BY_NMI,
  tracedAs: 'nmi',
  about: 'cpu',
  effect: acts(actions.NMI),
  script: () => ({ nmi: {} }),
} as const satisfies Partial<StepKind>;

const LATE_NMI: StepKind = {
  ...PLAIN_NMI,
  isFree: true,
  isIn: hasLateNmis,
  guards: [NMI_ON_ITS_WAY, allows(actions.NMI)],
  words: () => 'the NMI arrives',
};

const LATCHED_ARE_ACTIVE: Guard = {
  holds: (candidate) => latchedActive(candidate) !== 0,
  words: 'no counter whose overflow is latched has an active event',
};

const LATE_NMI_THROTTLE: StepKind = {
  ...throttling(latchedActive),
  isIn: hasLateNmis,
  about: 'cpu',
  guards: [NMI_ON_ITS_WAY, LATCHED_ARE_ACTIVE, allows(actions.NMI)],
  words: (candidate) => {
    const throttled = counterNames(latchedActive(candidate)).join(', ') || 'an event';
    return `the NMI arrives and throttles ${throttled}`;
  },
};

const IS_LATCHED = ofCounters(
  latchedActive,
  'no overflow of an active event is latched on the counter',
);

const OTHERS_ARE_LATCHED = ofCounters((candidate) => {
  const candidates = latchedActive(candidate);
  const isOne = (candidates & (candidates - 1)) === 0;
  return candidates === 0 ? 0 : isOne ? ~candidates : ~0;
}, 'no overflow of another active event is latched');

/** Of several events whose overflow is latched one is throttled: it alone has had too many. */
const LATE_NMI_THROTTLES_ONE: StepKind = {
  ...THROTTLING_NMI,
  isIn: ({ spec }) => spec.nmi_timing === 'late' && spec.nmi_throttles === 'any',
  guards: [IS_LATCHED, OTHERS_ARE_LATCHED, allows(actions.NMI)],
  words: ({ target }) => `the NMI arrives and throttles ${counterName(target)} alone`,
};

/** What overflows when an NMI arrives, and what of it is throttled, as a target: eight general-purpose and four fixed counters each. */
export function targetOfOverflows(overflowed: CounterSet, throttled: CounterSet): number {
  return squeezed(overflowed) | (squeezed(throttled) << 12);
}

export function overflowedIn(target: number): CounterSet {
  return (target & 0xff) | (((target >>> 8) & 0xf) << FIXED_BIT);
}

export function throttledIn(target: number): CounterSet {
  return overflowedIn(target >> 12);
}

function squeezed(counters: CounterSet): number {
  return (counters & 0xff) | (((counters >>> FIXED_BIT) & 0xf) << 8);
}

const MAY_OVERFLOW: Guard = {
  ...unless((candidate) => whyNot(candidate, candidate.target)),
  among: (candidate) => (whyNot(candidate, 0) === null ? candidate.cpu.cpuc.activeMask : 0),
};

function whyNot(candidate: Candidate, target: number): string | null {
  return isInGuest(candidate.cpu.pc)
    ? 'the CPU is in the guest'
    : refusal(candidate, actions.NMI, throttledIn(target), overflowedIn(target));
}

/** Of active counters those whose events sample: a counting event is never throttled. */
export function throttleable({ world, state: { events }, cpu }: Candidate): CounterSet {
  let counters = 0;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (event.status === ACTIVE && event.cpu === cpu.index && world.eventConfigs[at]!.sampling) {
      counters |= 1 << event.counter;
    }
  }
  return counters;
}

/** An NMI that finds overflows, whether or not the counters have counted: the handler cannot tell. */
const WITH_OVERFLOWS = {
  ...BY_NMI,
  isIn: ({ spec }) => spec.nmi_overflows === 'on_arrival',
  about: 'overflows',
  tracedAs: 'nmi',
  effect: (candidate, sink) => {
    const { target } = candidate;
    act(candidate, sink, actions.NMI, overflowedIn(target), throttledIn(target));
  },
  script: ({ target }) => ({
    nmi: {
      overflow: counterNames(overflowedIn(target) & ~throttledIn(target)),
      throttle: counterNames(throttledIn(target)),
    },
  }),
} as const satisfies Partial<StepKind>;

const THROTTLES_NONE: Guard = {
  holds: ({ target }) => throttledIn(target) === 0,
  words: 'the NMI throttles an event',
};

const THROTTLES: Guard = {
  holds: ({ target }) => throttledIn(target) !== 0,
  words: 'the NMI throttles no event',
};

const NMI_WITH_OVERFLOWS: StepKind = {
  ...WITH_OVERFLOWS,
  isFree: true,
  guards: [THROTTLES_NONE, MAY_OVERFLOW],
  words: ({ target }) =>
    `an NMI arrives with the overflow of ${counterNames(overflowedIn(target)).join(', ')}`,
};

const NMI_WITH_OVERFLOWS_THROTTLES: StepKind = {
  ...WITH_OVERFLOWS,
  guards: [THROTTLES, MAY_OVERFLOW],
  words: ({ target }) =>
    `an NMI arrives with the overflow of ${counterNames(overflowedIn(target)).join(', ')} and throttles ${counterNames(throttledIn(target)).join(', ')}`,
};

const FOREIGN_NMI: StepKind = {
  ...PLAIN_NMI,
  actor: 'foreign_nmi',
  guards: [allows(actions.NMI)],
  words: () => 'NMI from another source',
};

/** A foreign NMI whose status never clears. */
const RESET_NMI: StepKind = {
  ...BY_NMI,
  actor: 'nmi_reset',
  about: 'cpu',
  guards: [allows(actions.NMI_RESET)],
  effect: acts(actions.NMI_RESET),
  words: () => 'an NMI whose status never clears: after 100 loops the handler resets the PMU',
  script: () => ({ nmi: { reset: true } }),
};

const SNAPSHOT: StepKind = {
  actor: 'bpf_snapshot',
  about: 'cpu',
  when: INTERRUPTIBLE,
  guards: [allows(actions.SNAPSHOT), allows(actions.NMI)],
  effect: acts(actions.SNAPSHOT),
  words: () => 'a BPF program takes a branch snapshot',
  by: 'nmi',
  script: () => ({ nmi: { bpf_snapshot: true } }),
};

export const NMI_STEPS: readonly StepKind[] = [
  OVERFLOW_AND_THROTTLE,
  OVERFLOW,
  LATE_NMI,
  LATE_NMI_THROTTLE,
  FOREIGN_NMI,
  RESET_NMI,
  SNAPSHOT,
  LATE_NMI_THROTTLES_ONE,
  NMI_WITH_OVERFLOWS,
  NMI_WITH_OVERFLOWS_THROTTLES,
];
