/** How an operation under way goes on; in the guest and before VMLAUNCH in more than one way. */

import * as actions from '../../pmu/machine/actions.js';
import { nextStep } from '../../pmu/machine/advance.js';
import { D1_N_ADDED } from '../../pmu/machine/micro-step.js';
import {
  EXIT_NMI,
  EXIT_REENTER,
  EXIT_VMFAIL,
  type LogicalCpu,
  type MachineState,
} from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';
import { AT_ANY_TIME, AT_REST, allows } from './guards.js';
import { act, goOn } from './machine-actions.js';
import { operationName } from './names.js';
import type { Guard, StepKind } from './step-kind.js';

function nextOfOperation(explored: ExploredWorld, state: MachineState, cpu: LogicalCpu): number {
  return nextStep(explored.world, state, cpu);
}

export const ADVANCE: StepKind = {
  about: 'operation',
  when: AT_ANY_TIME,
  guards: [allows(actions.ADVANCE)],
  effect: (explored, state, cpu, _target, sink) => goOn(explored, state, sink, cpu),
  words: (explored, _state, cpu) => `${operationName(explored, cpu)} continues`,
  by: 'operation',
  executes: nextOfOperation,
  script: (script, explored, state, cpu) =>
    script.goOn(cpu.index, nextOfOperation(explored, state, cpu)),
};

/** What operations of perf have in common that begin with PMU disable. */
export const PMU_DISABLE_FIRST = {
  when: AT_REST,
  by: 'perf',
  executes: () => D1_N_ADDED,
} as const satisfies Partial<StepKind>;

const NOT_LEAVING: Guard = {
  holds: (_explored, _state, cpu) => cpu.exitReason !== EXIT_NMI,
  words: 'an NMI makes the guest exit already',
};

const EXIT_AND_REENTER: StepKind = {
  actor: 'fastpath_reenter',
  about: 'cpu',
  when: AT_ANY_TIME,
  guards: [allows(actions.SET_EXIT), NOT_LEAVING],
  effect: (explored, state, cpu, _target, sink) => {
    act(explored, state, sink, actions.SET_EXIT, cpu, 0, EXIT_REENTER);
    goOn(explored, state, sink, cpu);
  },
  words: () => 'VM-exit handled in the fastpath; the vCPU re-enters',
  by: 'operation',
  executes: nextOfOperation,
  script: (script, explored, state, cpu) => {
    script.exitFor(cpu.index, 'fastpath_reenter');
    script.goOn(cpu.index, nextOfOperation(explored, state, cpu));
  },
};

const FAIL_VMLAUNCH: StepKind = {
  actor: 'vmfail',
  about: 'cpu',
  when: AT_ANY_TIME,
  guards: [allows(actions.SET_ENTRY_FAILURE)],
  effect: (explored, state, cpu, _target, sink) => {
    act(explored, state, sink, actions.SET_ENTRY_FAILURE, cpu, 0, EXIT_VMFAIL);
    goOn(explored, state, sink, cpu);
  },
  words: () => 'VMLAUNCH fails',
  by: 'operation',
  executes: nextOfOperation,
  script: (script, explored, state, cpu) => {
    script.exitFor(cpu.index, 'vmfail');
    script.goOn(cpu.index, nextOfOperation(explored, state, cpu));
  },
};

/** By which an operation goes on, in the order in which a search tries them. */
export const OPERATION_STEPS: readonly StepKind[] = [ADVANCE, EXIT_AND_REENTER, FAIL_VMLAUNCH];
