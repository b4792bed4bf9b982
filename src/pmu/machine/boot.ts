/** A machine that boots: its constants, from CPU model, kernel and options, and its state before anything is opened. */
import type { U64 } from '../arch/counter-set.js';
import type { CpuModel } from '../arch/cpu-model.js';
import type { KernelVariant } from '../kernels/kernel-variant.js';
import { capsOf, isIsolatedOn } from '../kernels/pmu-support.js';
import type { MachineState } from './state.js';
import { createState, createWorld, type World } from './world.js';

export interface Platform {
  readonly model: CpuModel;
  readonly kernel: KernelVariant;
  readonly stepping: number;
  readonly microcode: U64;
  readonly cpus: number;
  readonly groupThrottle: boolean;
  readonly autoloadSlotsTaken: number;
}

export function boot(platform: Platform): { world: World; state: MachineState } {
  const { model, kernel, stepping, microcode, cpus, groupThrottle } = platform;
  const world = createWorld({
    model,
    caps: capsOf(kernel, model),
    kernel,
    options: { groupThrottle },
    autoloadSlotsTaken: platform.autoloadSlotsTaken,
  });
  return { world, state: createState(world, cpus, !isIsolatedWith(platform, stepping, microcode)) };
}

/** Isolation with a microcode revision of any size; revisions have 32 bits. */
export function isIsolatedWith(
  { kernel, model }: Pick<Platform, 'kernel' | 'model'>,
  stepping: number,
  microcode: U64,
): boolean {
  return isIsolatedOn(kernel, model, stepping, microcode.hi > 0 ? 0xffffffff : microcode.lo);
}
