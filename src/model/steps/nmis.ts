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
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { NMI_SOURCE } from '../../pmu/machine/step-sources.js';
import { ACTIVE } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from '../explored-world.js';
import { allows, INTERRUPTIBLE, ofCounters } from './guards.js';
import { act, acts, refusal } from './machine-actions.js';
import type { Guard, StepKind } from './step-kind.js';

/** Overflows whose NMI is on its way. */
function latched({ hardware }: LogicalCpu): CounterSet {
  return hardware.status | hardware.dsRecords;
}

/** Those of them that still have an active event: a late NMI can throttle it. */
function latchedActive(cpu: LogicalCpu): CounterSet {
  return latched(cpu) & cpu.cpuc.activeMask;
}

function hasPromptNmis({ spec }: ExploredWorld): boolean {
  return spec.nmi_timing !== 'late';
}

function hasLateNmis({ spec }: ExploredWorld): boolean {
  return spec.nmi_timing === 'late';
}

/** What NMIs that perf handles have in common. */
const BY_NMI = {
  when: INTERRUPTIBLE,
  by: 'nmi',
  source: NMI_SOURCE,
} as const satisfies Partial<StepKind>;

const COUNTS = ofCounters(
  (_explored, _state, { hardware }) => running(hardware),
  'the counter does not count',
);

const HAS_ACTIVE_EVENT = ofCounters(
  (_explored, _state, { cpuc }) => cpuc.activeMask,
  'the counter has no active event',
);

/** A PEBS event overflows into its buffer only while its bit in the register is set, and else raises no interrupt. */
const WRITES_RECORDS = ofCounters(
  ({ world }, _state, { hardware, cpuc }) =>
    world.caps.pebsEnableMsr ? ~cpuc.pebsEnabled | hardware.pebsEnable : ~0,
  'its bit in IA32_PEBS_ENABLE is clear, so it writes no record',
);

const MAY_THROTTLE: Guard = {
  holds: (explored, state, cpu, target) =>
    refusal(explored, state, actions.NMI, cpu, 0, 1 << target) === null,
  words: (explored, state, cpu, target) =>
    refusal(explored, state, actions.NMI, cpu, 0, 1 << target) ?? '',
};

/** An NMI in which the event of one counter is throttled. */
const THROTTLING_NMI = {
  ...BY_NMI,
  about: 'counter',
  effect: (explored, state, cpu, target, sink) =>
    act(explored, state, sink, actions.NMI, cpu, 0, 0, 1 << target),
  script: (script, _explored, _state, cpu, target) =>
    script.nmi(cpu.index, { throttle: counterNames(1 << target) }),
} as const satisfies Partial<StepKind>;

const OVERFLOW_AND_THROTTLE: StepKind = {
  actor: 'nmi_throttle',
  isIn: hasPromptNmis,
  ...THROTTLING_NMI,
  guards: [COUNTS, HAS_ACTIVE_EVENT, WRITES_RECORDS, MAY_THROTTLE],
  words: (_explored, _state, _cpu, target) =>
    `${counterName(target)} overflows and the NMI throttles its event`,
};

const NOT_LATCHED = ofCounters(
  (_explored, _state, cpu) => ~latched(cpu),
  'its overflow is latched already',
);

const OVERFLOW: StepKind = {
  actor: 'nmi_throttle',
  isFree: true,
  isIn: hasLateNmis,
  about: 'counter',
  ...BY_NMI,
  tracedAs: 'overflow',
  guards: [COUNTS, HAS_ACTIVE_EVENT, WRITES_RECORDS, NOT_LATCHED],
  effect: (explored, state, cpu, target, sink) =>
    act(explored, state, sink, actions.LATCH, cpu, 0, 1 << target),
  words: (_explored, _state, _cpu, target) => `${counterName(target)} overflows; PMI pending`,
  script: (script, _explored, _state, cpu, target) =>
    script.overflow(cpu.index, counterNames(1 << target)),
};

const NMI_ON_ITS_WAY: Guard = {
  holds: (_explored, _state, cpu) => latched(cpu) !== 0,
  words: 'no overflow is latched: no NMI is on its way',
};

/** An NMI in which nothing is throttled. */
const PLAIN_NMI = {
  ...BY_NMI,
  tracedAs: 'nmi',
  about: 'cpu',
  effect: acts(actions.NMI),
  script: (script, _explored, _state, cpu) => script.nmi(cpu.index, {}),
} as const satisfies Partial<StepKind>;

const LATE_NMI: StepKind = {
  actor: 'nmi_throttle',
  isFree: true,
  isIn: hasLateNmis,
  ...PLAIN_NMI,
  guards: [NMI_ON_ITS_WAY, allows(actions.NMI)],
  words: () => 'the NMI arrives',
};

const LATCHED_ARE_ACTIVE: Guard = {
  holds: (_explored, _state, cpu) => latchedActive(cpu) !== 0,
  words: 'no counter whose overflow is latched has an active event',
};

const LATE_NMI_THROTTLE: StepKind = {
  actor: 'nmi_throttle',
  isIn: hasLateNmis,
  about: 'cpu',
  ...BY_NMI,
  guards: [NMI_ON_ITS_WAY, LATCHED_ARE_ACTIVE, allows(actions.NMI)],
  effect: (explored, state, cpu, _target, sink) =>
    act(explored, state, sink, actions.NMI, cpu, 0, 0, latchedActive(cpu)),
  words: (_explored, _state, cpu) => {
    const throttled = counterNames(latchedActive(cpu)).join(', ') || 'an event';
    return `the NMI arrives and throttles ${throttled}`;
  },
  script: (script, _explored, _state, cpu) =>
    script.nmi(cpu.index, { throttle: counterNames(latchedActive(cpu)) }),
};

const IS_LATCHED = ofCounters(
  (_explored, _state, cpu) => latchedActive(cpu),
  'no overflow of an active event is latched on the counter',
);

const OTHERS_ARE_LATCHED = ofCounters((_explored, _state, cpu) => {
  const candidates = latchedActive(cpu);
  const isOne = (candidates & (candidates - 1)) === 0;
  return candidates === 0 ? 0 : isOne ? ~candidates : ~0;
}, 'no overflow of another active event is latched');

/** Of several events whose overflow is latched one is throttled: it alone has had too many. */
const LATE_NMI_THROTTLES_ONE: StepKind = {
  actor: 'nmi_throttle',
  isIn: ({ spec }) => spec.nmi_timing === 'late' && spec.nmi_throttles === 'any',
  ...THROTTLING_NMI,
  guards: [IS_LATCHED, OTHERS_ARE_LATCHED, allows(actions.NMI)],
  words: (_explored, _state, _cpu, target) =>
    `the NMI arrives and throttles ${counterName(target)} alone`,
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

function findsOverflows({ spec }: ExploredWorld): boolean {
  return spec.nmi_overflows === 'on_arrival';
}

const MAY_OVERFLOW: Guard = {
  among: (explored, state, cpu) =>
    whyNot(explored, state, cpu, 0) === null ? cpu.cpuc.activeMask : 0,
  holds: (explored, state, cpu, target) => whyNot(explored, state, cpu, target) === null,
  words: (explored, state, cpu, target) => whyNot(explored, state, cpu, target) ?? '',
};

function whyNot(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
): string | null {
  return isInGuest(cpu.pc)
    ? 'the CPU is in the guest'
    : refusal(explored, state, actions.NMI, cpu, 0, throttledIn(target), overflowedIn(target));
}

/** Of active counters those whose events sample: a counting event is never throttled. */
export function throttleable(
  { world }: ExploredWorld,
  { events }: MachineState,
  cpu: LogicalCpu,
): CounterSet {
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
  isIn: findsOverflows,
  about: 'overflows',
  ...BY_NMI,
  tracedAs: 'nmi',
  effect: (explored, state, cpu, target, sink) =>
    act(explored, state, sink, actions.NMI, cpu, 0, overflowedIn(target), throttledIn(target)),
  script: (script, _explored, _state, cpu, target) =>
    script.nmi(cpu.index, {
      overflow: counterNames(overflowedIn(target) & ~throttledIn(target)),
      throttle: counterNames(throttledIn(target)),
    }),
} as const satisfies Partial<StepKind>;

const THROTTLES_NONE: Guard = {
  holds: (_explored, _state, _cpu, target) => throttledIn(target) === 0,
  words: 'the NMI throttles an event',
};

const THROTTLES: Guard = {
  holds: (_explored, _state, _cpu, target) => throttledIn(target) !== 0,
  words: 'the NMI throttles no event',
};

const NMI_WITH_OVERFLOWS: StepKind = {
  actor: 'nmi_throttle',
  isFree: true,
  ...WITH_OVERFLOWS,
  guards: [THROTTLES_NONE, MAY_OVERFLOW],
  words: (_explored, _state, _cpu, target) =>
    `an NMI arrives with the overflow of ${counterNames(overflowedIn(target)).join(', ')}`,
};

const NMI_WITH_OVERFLOWS_THROTTLES: StepKind = {
  actor: 'nmi_throttle',
  ...WITH_OVERFLOWS,
  guards: [THROTTLES, MAY_OVERFLOW],
  words: (_explored, _state, _cpu, target) =>
    `an NMI arrives with the overflow of ${counterNames(overflowedIn(target)).join(', ')} and throttles ${counterNames(throttledIn(target)).join(', ')}`,
};

const FOREIGN_NMI: StepKind = {
  actor: 'foreign_nmi',
  ...PLAIN_NMI,
  guards: [allows(actions.NMI)],
  words: () => 'NMI from another source',
};

/** A foreign NMI whose status never clears. */
const RESET_NMI: StepKind = {
  actor: 'nmi_reset',
  about: 'cpu',
  ...BY_NMI,
  guards: [allows(actions.NMI_RESET)],
  effect: acts(actions.NMI_RESET),
  words: () => 'an NMI whose status never clears: after 100 loops the handler resets the PMU',
  script: (script, _explored, _state, cpu) => script.nmi(cpu.index, { reset: true }),
};

const SNAPSHOT: StepKind = {
  actor: 'bpf_snapshot',
  about: 'cpu',
  when: INTERRUPTIBLE,
  guards: [allows(actions.SNAPSHOT), allows(actions.NMI)],
  effect: acts(actions.SNAPSHOT),
  words: () => 'a BPF program takes a branch snapshot',
  by: 'nmi',
  script: (script, _explored, _state, cpu) => script.nmi(cpu.index, { bpf_snapshot: true }),
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
