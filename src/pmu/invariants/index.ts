/** All invariants, and their evaluation at the points a CPU is at. */
import { fullestState } from '../machine/given-state.js';
import { K0, STEP_CODES } from '../machine/micro-step.js';
import type { MachineState } from '../machine/state.js';
import type { World } from '../machine/world.js';
import { guestInvariants } from './guest.js';
import { hostInvariants } from './host.js';
import {
  type Invariant,
  POINT_SETS,
  pointsOf,
  runningVcpu,
  type SeenCpu,
  type SeenState,
} from './invariant.js';
import { listInvariants } from './lists.js';
import { pebsEnableInvariants } from './pebs-enable.js';

export const INVARIANTS: readonly Invariant[] = [
  ...pebsEnableInvariants,
  ...guestInvariants,
  ...hostInvariants,
  ...listInvariants,
];

interface Placed {
  readonly bit: number;
  readonly holds: Invariant['holds'];
}

/** By set of points, the invariants evaluated there; filled as sets of points come up. */
const placedAt: (readonly Placed[] | undefined)[] = new Array(POINT_SETS).fill(undefined);

function invariantsAt(points: number): readonly Placed[] {
  const placed = INVARIANTS.flatMap((invariant, at) =>
    (invariant.points & points) === 0 ? [] : [{ bit: 1 << at, holds: invariant.holds }],
  );
  placedAt[points] = placed;
  return placed;
}

/**
 * The invariants that fail at a CPU, as a bit mask over `INVARIANTS`. Those that are not evaluated where the CPU is are as
 * in `before`: what failed when it was last looked at fails until it is found to hold.
 */
export function violatedAt(world: World, state: SeenState, cpu: SeenCpu, before = 0): number {
  const points = pointsOf(world, state, cpu);
  if (points === 0) {
    return before;
  }
  const vcpu = runningVcpu(state, cpu);
  let violated = before;
  const placed = placedAt[points] ?? invariantsAt(points);
  for (let at = 0; at < placed.length; at += 1) {
    const { bit, holds } = placed[at]!;
    violated = holds(world, state, cpu, vcpu) ? violated & ~bit : violated | bit;
  }
  return violated;
}

/** The micro-steps after which some of the invariants in a mask may be evaluated at a CPU. */
export function stepsEvaluated(world: World, initial: MachineState, mask: number): Uint8Array {
  // With isolation as it is, and as a late microcode load can make it.
  const isolations = [initial.noIsolation, 0];
  return Uint8Array.from({ length: STEP_CODES }, (_, pc) => {
    const points = isolations.reduce((all, noIsolation) => {
      const state = fullestState(initial, pc, noIsolation);
      const isNowhere = state.vcpus.length === 0 && pc >= K0;
      return isNowhere ? all : all | pointsOf(world, state, state.cpus[0]!);
    }, 0);
    return INVARIANTS.some((one, at) => mask & (1 << at) && one.points & points) ? 1 : 0;
  });
}

export function findInvariant(id: string): Invariant | undefined {
  return INVARIANTS.find((invariant) => invariant.id === id);
}
