/** All invariants, and their evaluation at the points a CPU is at. */
import { SWITCHED_MSRS } from '../arch/msr.js';
import type { VcpuPmu } from '../kvm/vcpu-pmu.js';
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

type Judge = (
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  vcpu: VcpuPmu | undefined,
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
  const body = `${names.join('\n')}\nreturn (world, state, cpu, vcpu) => ${terms.join(' | ') || '0'};`;
  const judge: Judge = new Function('placed', body)(placed);
  judges[points] = judge;
  return judge;
}

/** The invariants that fail at a CPU, as a bit mask over `INVARIANTS`. */
export function violatedAt(world: World, state: MachineState, cpu: LogicalCpu): number {
  const points = pointsOf(world, state, cpu);
  if (points === 0) {
    return 0;
  }
  const judge = judges[points] ?? judgeAt(points);
  return judge(world, state, cpu, runningVcpu(state, cpu));
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
  return Uint8Array.from({ length: STEP_CODES }, (_, pc) => {
    cpu.pc = pc;
    cpu.operation = pc >= K0 ? RUN_VCPU : IDLE;
    const points = state.vcpus.length === 0 && pc >= K0 ? 0 : pointsOf(world, state, cpu);
    return INVARIANTS.some((one, at) => mask & (1 << at) && one.points & points) ? 1 : 0;
  });
}

export function findInvariant(id: string): Invariant | undefined {
  return INVARIANTS.find((invariant) => invariant.id === id);
}
