/** All invariants, and their evaluation at the points a CPU is at. */
import { fullestState } from '../machine/given-state.js';
import { K0_IRQ_OFF, STEP_CODES } from '../machine/micro-step.js';
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
  type SeenVcpu,
} from './invariant.js';
import { listInvariants } from './lists.js';
import { pebsEnableInvariants } from './pebs-enable.js';

export const INVARIANTS: readonly Invariant[] = [
  ...pebsEnableInvariants,
  ...guestInvariants,
  ...hostInvariants,
  ...listInvariants,
];

type Judge = (
  world: World,
  state: SeenState,
  cpu: SeenCpu,
  vcpu: SeenVcpu | undefined,
  before: number,
) => number;

/** By set of points, one function that evaluates the invariants there; compiled as sets of points come up. */
const judges: (Judge | undefined)[] = new Array(POINT_SETS).fill(undefined);

function judgeAt(points: number): Judge {
  const placed = INVARIANTS.map(({ points: own, holds }, at) => ({ own, holds, at })).filter(
    ({ own }) => (own & points) !== 0,
  );
  const names = placed.map((_, nth) => `const holds${nth} = placed[${nth}].holds;`);
  const terms = placed.map(
    ({ at }, nth) => `(holds${nth}(world, state, cpu, vcpu) ? 0 : ${1 << at})`,
  );
  const others = ~placed.reduce((mask, { at }) => mask | (1 << at), 0);
  const body = `${names.join('\n')}
return (world, state, cpu, vcpu, before) => ${[`before & ${others}`, ...terms].join(' | ')};`;
  const judge: Judge = new Function('placed', body)(placed);
  judges[points] = judge;
  return judge;
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
  const judge = judges[points] ?? judgeAt(points);
  return judge(world, state, cpu, runningVcpu(state, cpu), before);
}

/** The micro-steps after which some of the invariants in a mask may be evaluated at a CPU. */
export function stepsEvaluated(world: World, initial: MachineState, mask: number): Uint8Array {
  // With isolation as it is, and as a late microcode load can make it.
  const isolations = [initial.noIsolation, 0];
  return Uint8Array.from({ length: STEP_CODES }, (_, pc) => {
    const points = isolations.reduce((all, noIsolation) => {
      const state = fullestState(initial, pc, noIsolation);
      const isNowhere = state.vcpus.length === 0 && pc >= K0_IRQ_OFF;
      return isNowhere ? all : all | pointsOf(world, state, state.cpus[0]!);
    }, 0);
    return INVARIANTS.some((one, at) => mask & (1 << at) && one.points & points) ? 1 : 0;
  });
}

/** The ids of the invariants in a mask. */
export function invariantsIn(mask: number): string[] {
  return INVARIANTS.flatMap(({ id }, at) => (mask & (1 << at) ? id : []));
}

export function findInvariant(id: string): Invariant | undefined {
  return INVARIANTS.find((invariant) => invariant.id === id);
}
