/** All invariants, and their evaluation at the points a CPU is at. */
import { SWITCHED_MSRS } from '../arch/msr.js';
import { K0, STEP_CODES } from '../machine/micro-step.js';
import { IDLE, type LogicalCpu, MachineState, RUN_VCPU } from '../machine/state.js';
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

/**
 * The invariants that fail at a CPU, as a bit mask over `INVARIANTS`. Those that are not evaluated where the CPU is are as
 * in `before`: what failed when it was last looked at fails until it is found to hold.
 */
export function violatedAt(world: World, state: MachineState, cpu: LogicalCpu, before = 0): number {
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
  const state = new MachineState();
  state.copyFrom(initial);
  const cpu = state.cpus[0]!;
  // As much as can be true at a micro-step: the PMU on, every MSR in the load areas, the list at its end.
  for (const vcpu of state.vcpus) {
    vcpu.autoload.list((1 << SWITCHED_MSRS) - 1);
  }
  cpu.cpuc.enabled = 1;
  // As it is, and as a late microcode load can make it.
  const isolated = new MachineState();
  isolated.copyFrom(state);
  isolated.noIsolation = 0;
  return Uint8Array.from({ length: STEP_CODES }, (_, pc) => {
    cpu.pc = pc;
    cpu.operation = pc >= K0 ? RUN_VCPU : IDLE;
    const points =
      state.vcpus.length === 0 && pc >= K0
        ? 0
        : pointsOf(world, state, cpu) | pointsOf(world, isolated, cpu);
    return INVARIANTS.some((one, at) => mask & (1 << at) && one.points & points) ? 1 : 0;
  });
}

export function findInvariant(id: string): Invariant | undefined {
  return INVARIANTS.find((invariant) => invariant.id === id);
}
