/**
 * What an invariant is: a predicate of the state, and where it is evaluated.
 *
 * Source: semantics.md §7.1 and §7.7, whose ids and predicates these are.
 */

import { PEBS_ENABLE } from '../arch/msr.js';
import type { VcpuPmu } from '../kvm/vcpu-pmu.js';
import {
  isInGuest,
  K0_IRQ_OFF,
  K3_ZERO_GLOBAL_CTRL,
  K4_LIST_BUILD,
  K5_SWITCH,
  K6_TIMER,
  K9_VMLAUNCH,
  K11_FIX_UP,
  REST,
  V2_ENTRY_LOAD,
  V4_SAVE,
  V6_EXIT_LOAD,
  VMX_ABORT,
} from '../machine/micro-step.js';
import { type LogicalCpu, type MachineState, RUN_VCPU } from '../machine/state.js';
import type { World } from '../machine/world.js';

/**
 * Where a predicate is evaluated, as a set of points:
 * `quiescent`: host context, PMU on, no NMI, not between k5 and V6, not between PMU disable and enable;
 * `guest`: after V2 until V4; `host`: any host point outside the V-steps and outside k5…k9;
 * `list_built`: after k4; `lists_applied`: after the last k5; `window`: after k5 quiesced IA32_PEBS_ENABLE until V2;
 * `vmlaunch`: at k9; `exit`: after V4; `exit_loaded`: after V6; `resting`: quiescent, and no operation or run under way;
 * `shut_down`: after a VMX abort; `unswitched`: in the guest, where the kernel does not switch IA32_PEBS_ENABLE.
 *
 * An invariant that does not apply somewhere has no point there, rather than holding for nothing: violations are counted
 * from holding to violated.
 */
export const QUIESCENT = 1;
export const IN_GUEST = 2;
export const HOST = 4;
export const LIST_BUILT = 8;
export const LISTS_APPLIED = 16;
export const WINDOW = 32;
export const VMLAUNCH = 64;
export const EXIT = 128;
export const EXIT_LOADED = 256;
export const RESTING = 512;
export const SHUT_DOWN = 1024;
export const UNSWITCHED = 2048;
/** One more than the largest set of points. */
export const POINT_SETS = 4096;

/** What is only looked at: no field of it, nor of what it holds, may be written. */
export type Seen<T> = T extends Int32Array | ((...args: never[]) => unknown)
  ? T
  : { readonly [Field in keyof T]: Seen<T[Field]> };
export type SeenState = Seen<MachineState>;
export type SeenCpu = Seen<LogicalCpu>;
export type SeenVcpu = Seen<VcpuPmu>;

export interface Invariant {
  readonly id: string;
  /** In words. */
  readonly statement: string;
  /** In the notation of semantics.md; the letters are in `symbols.ts`. */
  readonly predicate: string;
  readonly where: string;
  readonly points: number;
  readonly sources: readonly string[];
  /** Evaluated only at its points. `vcpu` is the running vCPU; undefined while none runs. */
  holds(world: World, state: SeenState, cpu: SeenCpu, vcpu: SeenVcpu | undefined): boolean;
}

/** The points a CPU is at. */
export function pointsOf(world: World, state: SeenState, cpu: SeenCpu): number {
  const { pc } = cpu;
  if (pc < K0_IRQ_OFF) {
    const resting = pc === REST && cpu.cpuc.enabled === 1;
    return resting ? QUIESCENT | HOST | RESTING : HOST;
  }
  if (isInGuest(pc) || pc === V2_ENTRY_LOAD) {
    return switchesPebsEnable(world, state) ? IN_GUEST : IN_GUEST | UNSWITCHED;
  }
  if (pc === V4_SAVE) {
    return EXIT;
  }
  if (pc === V6_EXIT_LOAD) {
    return EXIT_LOADED;
  }
  if (pc > K4_LIST_BUILD && pc <= V2_ENTRY_LOAD) {
    return windowPoints(state, cpu);
  }
  if (pc === VMX_ABORT) {
    return SHUT_DOWN;
  }
  if (pc > V6_EXIT_LOAD || pc <= K4_LIST_BUILD) {
    const quiescent = cpu.cpuc.enabled === 1 && !isBeforeRepair(world, pc);
    return HOST | (quiescent ? QUIESCENT : 0) | (pc === K4_LIST_BUILD ? LIST_BUILT : 0);
  }
  return 0;
}

/** k5 to V1: the lists are being applied or have been, and nothing is loaded yet. */
function windowPoints(state: SeenState, cpu: SeenCpu): number {
  const { pc } = cpu;
  let points = 0;
  if (
    pc >= K5_SWITCH &&
    pc < K6_TIMER &&
    cpu.cpuc.guestSwitchMsrs.present >> (pc - K5_SWITCH + 1) === 0
  ) {
    points |= LISTS_APPLIED;
  }
  if (pc === K9_VMLAUNCH) {
    points |= VMLAUNCH;
  }
  if (
    pc >= K5_SWITCH + PEBS_ENABLE &&
    pc < V2_ENTRY_LOAD &&
    isPebsEnableListed(state.vcpus[cpu.target]!)
  ) {
    points |= WINDOW;
  }
  return points;
}

/** A kernel that repairs something after VM-exit is not checked until the repair step; kernels that zero the register are not checked before entry. */
function isBeforeRepair(world: World, pc: number): boolean {
  const { zeroGlobalCtrl, postExitFixup } = world.kvmOptions;
  if (zeroGlobalCtrl !== 'no' && pc >= K3_ZERO_GLOBAL_CTRL && pc <= K4_LIST_BUILD) {
    return true;
  }
  return postExitFixup && pc > V6_EXIT_LOAD && pc < K11_FIX_UP;
}

/** The vCPU a CPU runs, if any. */
export function runningVcpu(state: SeenState, cpu: SeenCpu): SeenVcpu | undefined {
  return cpu.operation === RUN_VCPU ? state.vcpus[cpu.target] : undefined;
}

/** Whether the vCPU's load areas hold IA32_PEBS_ENABLE. */
export function isPebsEnableListed(vcpu: SeenVcpu): boolean {
  return vcpu.autoload.has(PEBS_ENABLE);
}

/** Whether the kernel switches IA32_PEBS_ENABLE on this machine now. */
export function switchesPebsEnable(world: World, state: SeenState): boolean {
  return world.switchesPebsEnable[state.noIsolation as 0 | 1];
}
