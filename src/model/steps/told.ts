/** Steps in words: what each does, who does it, and which micro-step it is. */
import { STEP_NAMES } from '../../pmu/machine/micro-step.js';
import { IDLE, type MachineState, RUN_VCPU } from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';
import { ACTOR_KINDS, type StoryActor } from '../vocabulary.js';
import { candidateOf, cpuOf, kindOf, targetOf } from './index.js';
import { operationName } from './names.js';

/** What the step does. */
export function actionOf(explored: ExploredWorld, state: MachineState, label: number): string {
  return kindOf(label).words(candidateOf(explored, state, label));
}

/** The micro-step that the label makes its CPU execute, or undefined for what happens at once. */
export function executedStep(
  explored: ExploredWorld,
  state: MachineState,
  label: number,
): number | undefined {
  return kindOf(label).executes?.(candidateOf(explored, state, label));
}

export function actorOf(explored: ExploredWorld, state: MachineState, label: number): StoryActor {
  const { by } = kindOf(label);
  if (by !== 'operation') {
    return by;
  }
  if (state.cpus[cpuOf(label)]!.operation !== RUN_VCPU) {
    return 'perf';
  }
  const name = STEP_NAMES[executedStep(explored, state, label) ?? 0]!;
  return name === 'guest' ? 'guest' : name.startsWith('v') ? 'cpu' : 'kvm';
}

/** The operation that a step of a CPU belongs to: the one under way, or the one that it starts. */
export function operationOf(
  explored: ExploredWorld,
  before: MachineState,
  after: MachineState,
  label: number,
): string {
  const from = before.cpus[cpuOf(label)]!;
  return operationName(explored, from.operation === IDLE ? after.cpus[cpuOf(label)]! : from);
}

/** Who acts, as a number: an actor of the world, or a vCPU that runs or whose thread is switched; -1 for what continues. */
export function actorNumber(label: number): number {
  const { actor, about } = kindOf(label);
  if (actor !== undefined) {
    return ACTOR_KINDS.indexOf(actor);
  }
  return about === 'vcpu' ? ACTOR_KINDS.length + targetOf(label) : -1;
}
