/** Where a CPU is on the map of a world: the micro-step that it executed last, and the operation it is in. */
import { STEP_NAMES } from '../pmu/machine/micro-step.js';
import type { LogicalCpu } from '../pmu/machine/state.js';
import { OPERATION_NAMES, type OperationName } from '../pmu/vocabulary.js';

/** More than there are micro-steps. */
const STEPS = 64;

export interface Place {
  readonly micro_step: string;
  readonly operation: OperationName;
}

/** As one number, for the explorer. */
export function placeOf({ pc, operation }: LogicalCpu): number {
  return operation * STEPS + pc;
}

export function placeNames(place: number): Place {
  return {
    micro_step: STEP_NAMES[place % STEPS]!,
    operation: OPERATION_NAMES[Math.floor(place / STEPS)]!,
  };
}
