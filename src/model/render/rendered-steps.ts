/** The steps of a path as data: who acts, which MSRs are written, what changes, and where a step decides not to act. */
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';
import { RUN_VCPU } from '../../pmu/machine/state.js';
import { stepSource, stepStatement } from '../../pmu/machine/step-sources.js';
import type { MachineModel } from '../machine-model.js';
import { cpuOf, kindOf } from '../steps/index.js';
import { ADVANCE } from '../steps/operation.js';
import { actionOf, actorOf, operationOf } from '../steps/told.js';
import { type WriteItem, writeItems } from '../values.js';
import type { StoryActor } from '../vocabulary.js';
import { decisionLine, decisionsOf } from './decisions.js';
import { type Change, changeLine, differences } from './differences.js';
import { FieldWords } from './field-words.js';
import type { PathStep } from './path-steps.js';

type RenderedChange = Omit<Change, 'bits'> & { bits?: NonNullable<Change['bits']> };

/** A step with what the texts need of it. */
export interface RenderedStep {
  readonly number: number;
  readonly actor: StoryActor;
  readonly cpu: number;
  readonly action: string;
  readonly micro_step?: string;
  readonly source: string;
  msr_writes: WriteItem[];
  state_change: string[];
  changes: RenderedChange[];
  decisions: string[];
  readonly folded: boolean;
  /** The micro-step, with what begins or is under way where that is not a run that just continues. */
  readonly title: string;
}

export function renderSteps(model: MachineModel, steps: readonly PathStep[]): RenderedStep[] {
  const words = new FieldWords(model.explored);
  return steps.map((step) => renderStep(model, words, step));
}

export function renderStep(model: MachineModel, words: FieldWords, step: PathStep): RenderedStep {
  const { number, label, executes, before, after, writes } = step;
  const { world, host } = model.explored;
  const changes = differences(words, before, after);
  const decisions = decisionsOf(world, step).map(decisionLine);
  return {
    number,
    title: titleOf(model, step),
    actor: actorOf(model.explored, before, label),
    cpu: cpuOf(label),
    action: actionIn(model, step),
    ...(executes === undefined ? {} : { micro_step: STEP_NAMES[executes]! }),
    source: executes === undefined ? (kindOf(label).source ?? '') : stepSource(executes),
    msr_writes: writeItems(writes, host.addresses),
    state_change: changes.map((change) => changeLine(change, before.cpus.length)),
    changes: changes.map(({ bits, ...change }) => ({
      ...change,
      ...(bits === null ? {} : { bits }),
    })),
    decisions,
    folded: executes !== undefined && writes.length + changes.length + decisions.length === 0,
  };
}

/** What begins with the step, or what is under way; nothing for a run that just continues. */
function contextOf({ explored }: MachineModel, { label, before, after }: PathStep): string {
  if (kindOf(label) !== ADVANCE) {
    return actionOf(explored, before, label);
  }
  const isRun = before.cpus[cpuOf(label)]!.operation === RUN_VCPU;
  return isRun ? '' : operationOf(explored, before, after, label);
}

/** What happens; of an operation that continues, what its next micro-step does. */
function actionIn(model: MachineModel, step: PathStep): string {
  const context = contextOf(model, step);
  if (step.executes === undefined || kindOf(step.label) !== ADVANCE) {
    return context;
  }
  const statement = stepStatement(step.executes);
  return context === '' ? statement : `${context}: ${statement}`;
}

export function titleOf(model: MachineModel, step: PathStep): string {
  const context = contextOf(model, step);
  if (step.executes === undefined) {
    return context;
  }
  const name = STEP_NAMES[step.executes]!;
  return context === '' ? name : `${name} (${context})`;
}
