/**
 * The constants of a machine: CPU model, kernel, options and what its events were opened with.
 */
import type { CpuModel, PmuCaps } from '../arch/cpu-model.js';
import type { KernelOptions, KernelVariant } from '../kernels/kernel-variant.js';
import { switchesPebsEnable } from '../kernels/listed.js';
import type { GuestFeatures } from '../kvm/guest-msrs.js';
import type { KvmWorld } from '../kvm/kvm-world.js';
import { AUTOLOAD_CAPACITY } from '../kvm/msr-autoload.js';
import { CpuHwEvents } from '../perf/cpu-hw-events.js';
import type { PerfEventConfig } from '../perf/perf-event.js';
import { LogicalCpu, MachineState } from './state.js';

export interface World extends KvmWorld {
  /** Null in calculations from raw capabilities. */
  readonly model: CpuModel | null;
  readonly eventConfigs: PerfEventConfig[];
  /** By vCPU: what its guest is shown. */
  readonly guests: GuestFeatures[];
  /** Whether the kernel switches IA32_PEBS_ENABLE here: with isolation, and without. */
  readonly switchesPebsEnable: readonly [isolated: boolean, notIsolated: boolean];
}

export interface WorldOptions {
  readonly model?: CpuModel;
  readonly caps: PmuCaps;
  readonly kernel: KernelVariant;
  /** Overrides of the kernel's own options. */
  readonly options?: Partial<KernelOptions>;
  /** Auto-load slots held by users other than perf, 0 to 8. */
  readonly autoloadSlotsTaken?: number;
}

export function createWorld(from: WorldOptions): World {
  const options = { ...from.kernel.options, ...from.options };
  return {
    model: from.model ?? null,
    caps: from.caps,
    kernel: from.kernel,
    perfOptions: options,
    kvmOptions: options,
    autoloadCapacity: AUTOLOAD_CAPACITY - (from.autoloadSlotsTaken ?? 0),
    eventConfigs: [],
    guests: [],
    switchesPebsEnable: [
      switchesPebsEnable(from.kernel, from.caps, false),
      switchesPebsEnable(from.kernel, from.caps, true),
    ],
    switchInput: { caps: from.caps, noIsolation: false, cpuc: new CpuHwEvents(), guest: null },
  };
}

/**
 * A machine after boot: no event open, every CPU's PMU on with IA32_PERF_GLOBAL_CTRL as the first PMU enable leaves it.
 * (At reset the register may differ until then; semantics.md §1.5.)
 */
export function createState(world: World, cpus: number, noIsolation: boolean): MachineState {
  const state = new MachineState();
  state.noIsolation = noIsolation ? 1 : 0;
  for (let index = 0; index < cpus; index += 1) {
    const cpu = new LogicalCpu(index);
    cpu.hardware.globalCtrl = world.caps.intelCtrl;
    state.cpus.push(cpu);
  }
  return state;
}
