/** How an operation under way goes on; in the guest and before VMLAUNCH in more than one way. */
import * as actions from '../../pmu/machine/actions.js';
import { nextStep } from '../../pmu/machine/advance.js';
import { D1_N_ADDED } from '../../pmu/machine/micro-step.js';
import { EXIT_NMI, EXIT_REENTER, EXIT_VMFAIL } from '../../pmu/machine/state.js';
import { AT_ANY_TIME, AT_REST, allows } from './guards.js';
import { act, goOn } from './machine-actions.js';
import { operationName } from './names.js';
import type { Guard, StepKind } from './step-kind.js';

/** What the micro-steps of an operation under way have in common. */
const GOES_ON = {
  when: AT_ANY_TIME,
  by: 'operation',
  executes: ({ world, state, cpu }) => nextStep(world, state, cpu),
} as const satisfies Partial<StepKind>;

export const ADVANCE: StepKind = {
  ...GOES_ON,
  about: 'operation',
  guards: [allows(actions.ADVANCE)],
  effect: goOn,
  words: ({ explored, cpu }) => `${operationName(explored, cpu)} continues`,
};

/** What operations of perf have in common that begin with PMU disable. */
export const PMU_DISABLE_FIRST = {
  when: AT_REST,
  by: 'perf',
  executes: () => D1_N_ADDED,
} as const satisfies Partial<StepKind>;

/** The next micro-step of a run, which ends it for this reason. */
function runEnds(
  actor: 'fastpath_reenter' | 'vmfail',
  kind: number,
  reason: number,
  words: string,
  ...guards: readonly Guard[]
): StepKind {
  return {
    ...GOES_ON,
    actor,
    about: 'cpu',
    guards: [allows(kind), ...guards],
    effect: (candidate, sink) => {
      act(candidate, sink, kind, reason);
      goOn(candidate, sink);
    },
    words: () => words,
    script: () => ({ exitFor: actor }),
  };
}

const NOT_LEAVING: Guard = {
  holds: ({ cpu }) => cpu.exitReason !== EXIT_NMI,
  words: 'an NMI makes the guest exit already',
};

/** By which an operation goes on, in the order in which a search tries them. */
export const OPERATION_STEPS: readonly StepKind[] = [
  ADVANCE,
  runEnds(
    'fastpath_reenter',
    actions.SET_EXIT,
    EXIT_REENTER,
    'VM-exit handled in the fastpath; the vCPU re-enters',
    NOT_LEAVING,
  ),
  runEnds('vmfail', actions.SET_ENTRY_FAILURE, EXIT_VMFAIL, 'VMLAUNCH fails'),
];
