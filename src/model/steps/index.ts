/**
 * All kinds of steps. Searches try them in this order, CPU by CPU, and paths count them in it; rows side by side whose
 * targets are of one sort (events, vCPUs) take turns target by target.
 */
import type { MachineState } from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';
import { EVENT_STEPS } from './events.js';
import { GUEST_STEPS, GUEST_WRITE } from './guests.js';
import { LOAD_MICROCODE, SECTION, TICK } from './host.js';
import { NMI_STEPS } from './nmis.js';
import { OPERATION_STEPS } from './operation.js';
import type { Candidate, StepKind } from './step-kind.js';
import { VCPU_STEPS } from './vcpus.js';

export const STEP_KINDS: readonly StepKind[] = [
  ...OPERATION_STEPS,
  ...VCPU_STEPS,
  TICK,
  ...GUEST_STEPS,
  ...EVENT_STEPS,
  SECTION,
  ...NMI_STEPS,
  LOAD_MICROCODE,
  GUEST_WRITE,
];

/** The label of a step: its kind's place in the list in bits 0–4, its CPU in bits 5–7, its target from bit 8 on. */
export function labelOf(code: number, cpu: number, target: number): number {
  return code | (cpu << 5) | (target << 8);
}

export function codeOf(label: number): number {
  return label & 31;
}

export function kindOf(label: number): StepKind {
  return STEP_KINDS[codeOf(label)]!;
}

export function cpuOf(label: number): number {
  return (label >> 5) & 7;
}

export function targetOf(label: number): number {
  return label >> 8;
}

/** The step with this label as it is asked about; who only tells of it need not know what was `spent`. */
export function candidateOf(
  explored: ExploredWorld,
  state: MachineState,
  label: number,
  spent: Int32Array = new Int32Array(0),
): Candidate {
  const [cpu, target] = [state.cpus[cpuOf(label)]!, targetOf(label)];
  return { explored, world: explored.world, state, cpu, target, spent };
}
