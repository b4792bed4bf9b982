/** Overflows and NMIs, wherever one can land. */
import { type CounterSet, counterName, counterNames } from '../../pmu/arch/counter-set.js';
import { running } from '../../pmu/arch/hardware.js';
import type { WriteSink } from '../../pmu/arch/write-sink.js';
import * as actions from '../../pmu/machine/actions.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { NMI_SOURCE } from '../../pmu/machine/step-sources.js';
import type { ExploredWorld } from '../explored-world.js';
import { allows, INTERRUPTIBLE, ofCounters } from './guards.js';
import { act, refusal } from './machine-actions.js';
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

function overflowAndThrottle(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.NMI, cpu, 0, 0, 1 << target);
}

const OVERFLOW_AND_THROTTLE: StepKind = {
  actor: 'nmi_throttle',
  isIn: hasPromptNmis,
  about: 'counter',
  when: INTERRUPTIBLE,
  guards: [COUNTS, HAS_ACTIVE_EVENT, WRITES_RECORDS, MAY_THROTTLE],
  effect: overflowAndThrottle,
  words: (_explored, _state, _cpu, target) =>
    `${counterName(target)} overflows and the NMI throttles its event`,
  by: 'nmi',
  source: NMI_SOURCE,
  script: (script, _explored, _state, cpu, target) =>
    script.nmi(cpu.index, { throttle: counterNames(1 << target) }),
};

const NOT_LATCHED = ofCounters(
  (_explored, _state, cpu) => ~latched(cpu),
  'its overflow is latched already',
);

function overflow(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.LATCH, cpu, 0, 1 << target);
}

const OVERFLOW: StepKind = {
  actor: 'nmi_throttle',
  isFree: true,
  isIn: hasLateNmis,
  about: 'counter',
  when: INTERRUPTIBLE,
  guards: [COUNTS, HAS_ACTIVE_EVENT, WRITES_RECORDS, NOT_LATCHED],
  effect: overflow,
  words: (_explored, _state, _cpu, target) =>
    `${counterName(target)} overflows; its NMI is on the way`,
  by: 'nmi',
  source: NMI_SOURCE,
  script: (script, _explored, _state, cpu, target) =>
    script.overflow(cpu.index, counterNames(1 << target)),
};

const NMI_ON_ITS_WAY: Guard = {
  holds: (_explored, _state, cpu) => latched(cpu) !== 0,
  words: 'no overflow is latched: no NMI is on its way',
};

function nmi(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.NMI, cpu, 0);
}

const LATE_NMI: StepKind = {
  actor: 'nmi_throttle',
  isFree: true,
  isIn: hasLateNmis,
  about: 'cpu',
  when: INTERRUPTIBLE,
  guards: [NMI_ON_ITS_WAY, allows(actions.NMI)],
  effect: nmi,
  words: () => 'the NMI arrives',
  by: 'nmi',
  source: NMI_SOURCE,
  script: (script, _explored, _state, cpu) => script.nmi(cpu.index, {}),
};

const LATCHED_ARE_ACTIVE: Guard = {
  holds: (_explored, _state, cpu) => latchedActive(cpu) !== 0,
  words: 'no counter whose overflow is latched has an active event',
};

function nmiThatThrottles(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.NMI, cpu, 0, 0, latchedActive(cpu));
}

const LATE_NMI_THROTTLE: StepKind = {
  actor: 'nmi_throttle',
  isIn: hasLateNmis,
  about: 'cpu',
  when: INTERRUPTIBLE,
  guards: [NMI_ON_ITS_WAY, LATCHED_ARE_ACTIVE, allows(actions.NMI)],
  effect: nmiThatThrottles,
  words: (_explored, _state, cpu) => {
    const throttled = counterNames(latchedActive(cpu)).join(', ') || 'an event';
    return `the NMI arrives and throttles ${throttled}`;
  },
  by: 'nmi',
  source: NMI_SOURCE,
  script: (script, _explored, _state, cpu) =>
    script.nmi(cpu.index, { throttle: counterNames(latchedActive(cpu)) }),
};

const FOREIGN_NMI: StepKind = {
  actor: 'foreign_nmi',
  about: 'cpu',
  when: INTERRUPTIBLE,
  guards: [allows(actions.NMI)],
  effect: nmi,
  words: () => 'NMI of another device',
  by: 'nmi',
  source: NMI_SOURCE,
  script: (script, _explored, _state, cpu) => script.nmi(cpu.index, {}),
};

function nmiThatResets(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.NMI_RESET, cpu, 0);
}

/** A foreign NMI whose status never clears. */
const RESET_NMI: StepKind = {
  actor: 'nmi_reset',
  about: 'cpu',
  when: INTERRUPTIBLE,
  guards: [allows(actions.NMI_RESET)],
  effect: nmiThatResets,
  words: () => 'an NMI whose status never clears: after 100 loops the handler resets the PMU',
  by: 'nmi',
  source: NMI_SOURCE,
  script: (script, _explored, _state, cpu) => script.nmi(cpu.index, { reset: true }),
};

function snapshot(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.SNAPSHOT, cpu, 0);
}

const SNAPSHOT: StepKind = {
  actor: 'bpf_snapshot',
  about: 'cpu',
  when: INTERRUPTIBLE,
  guards: [allows(actions.SNAPSHOT), allows(actions.NMI)],
  effect: snapshot,
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
];
