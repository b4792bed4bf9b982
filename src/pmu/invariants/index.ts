/** All invariants, and their evaluation at the points a CPU is at. */
import type { LogicalCpu, MachineState } from '../machine/state.js';
import type { World } from '../machine/world.js';
import { guestInvariants } from './guest.js';
import { hostInvariants } from './host.js';
import { type Invariant, POINT_SETS, pointsOf, runningVcpu } from './invariant.js';
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

/** The invariants that fail at a CPU, as a bit mask over `INVARIANTS`. */
export function violatedAt(world: World, state: MachineState, cpu: LogicalCpu): number {
  const points = pointsOf(world, state, cpu);
  if (points === 0) {
    return 0;
  }
  const vcpu = runningVcpu(state, cpu);
  let violated = 0;
  const placed = placedAt[points] ?? invariantsAt(points);
  for (let at = 0; at < placed.length; at += 1) {
    const { bit, holds } = placed[at]!;
    if (!holds(world, state, cpu, vcpu)) {
      violated |= bit;
    }
  }
  return violated;
}

export function findInvariant(id: string): Invariant | undefined {
  return INVARIANTS.find((invariant) => invariant.id === id);
}
