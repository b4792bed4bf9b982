/** How an operation under way goes on; in the guest and before VMLAUNCH in more than one way. */

import type { WriteSink } from '../../pmu/arch/write-sink.js';
import * as actions from '../../pmu/machine/actions.js';
import { nextStep } from '../../pmu/machine/advance.js';
import {
  EXIT_NMI,
  EXIT_REENTER,
  EXIT_VMFAIL,
  type LogicalCpu,
  type MachineState,
} from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';
import { AT_ANY_TIME, allows } from './guards.js';
import { act, goOn } from './machine-actions.js';
import { operationName } from './names.js';
import type { Guard, StepKind } from './step-kind.js';

function nextOfOperation(explored: ExploredWorld, state: MachineState, cpu: LogicalCpu): number {
  return nextStep(explored.world, state, cpu);
}

function advance(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  goOn(explored, state, sink, cpu);
}

export const ADVANCE: StepKind = {
  about: 'operation',
  when: AT_ANY_TIME,
  guards: [allows(actions.ADVANCE)],
  effect: advance,
  words: (explored, _state, cpu) => `${operationName(explored, cpu)} goes on`,
  by: 'operation',
  executes: nextOfOperation,
  script: (script, explored, state, cpu) =>
    script.goOn(cpu.index, nextOfOperation(explored, state, cpu)),
};

const NOT_LEAVING: Guard = {
  holds: (_explored, _state, cpu) => cpu.exitReason !== EXIT_NMI,
  words: 'an NMI makes the guest exit already',
};

function exitAndReenter(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.SET_EXIT, cpu, 0, EXIT_REENTER);
  goOn(explored, state, sink, cpu);
}

const EXIT_AND_REENTER: StepKind = {
  actor: 'fastpath_reenter',
  about: 'cpu',
  when: AT_ANY_TIME,
  guards: [allows(actions.SET_EXIT), NOT_LEAVING],
  effect: exitAndReenter,
  words: () => 'VM-exit that the fast path handles and re-enters',
  by: 'operation',
  executes: nextOfOperation,
  script: (script, explored, state, cpu) => {
    script.exitFor(cpu.index, 'fastpath_reenter');
    script.goOn(cpu.index, nextOfOperation(explored, state, cpu));
  },
};

function failVmlaunch(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
  _target: number,
  sink: WriteSink,
): void {
  act(explored, state, sink, actions.SET_ENTRY_FAILURE, cpu, 0, EXIT_VMFAIL);
  goOn(explored, state, sink, cpu);
}

const FAIL_VMLAUNCH: StepKind = {
  actor: 'vmfail',
  about: 'cpu',
  when: AT_ANY_TIME,
  guards: [allows(actions.SET_ENTRY_FAILURE)],
  effect: failVmlaunch,
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
