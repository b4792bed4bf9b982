/**
 * The constants of a machine: CPU model, kernel, options and what its events were opened with. A world never changes: what is
 * added to a machine makes a new one, which shares the rest.
 */
import type { CpuModel, PmuCaps } from '../arch/cpu-model.js';
import type { KernelOptions, KernelVariant } from '../kernels/kernel-variant.js';
import { switchesPebsEnable } from '../kernels/listed.js';
import { type GuestFeatures, guestPmuCaps } from '../kvm/guest-msrs.js';
import type { KvmWorld } from '../kvm/kvm-world.js';
import { AUTOLOAD_CAPACITY } from '../kvm/msr-autoload.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { HOST_OWNED, NO_COUNTER, PerfEvent, type PerfEventConfig } from '../perf/perf-event.js';
import { LogicalCpu, MachineState } from './state.js';

export interface World extends KvmWorld {
  /** Null in calculations from raw capabilities. */
  readonly model: CpuModel | null;
  /** By vCPU: what its guest is shown. */
  readonly guests: readonly GuestFeatures[];
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
  return Object.freeze<World>({
    model: from.model ?? null,
    caps: from.caps,
    kernel: from.kernel,
    perfOptions: Object.freeze(options),
    kvmOptions: options,
    autoloadCapacity: AUTOLOAD_CAPACITY - (from.autoloadSlotsTaken ?? 0),
    eventConfigs: Object.freeze<PerfEventConfig[]>([]),
    guests: Object.freeze<GuestFeatures[]>([]),
    guestCaps: Object.freeze([]),
    switchesPebsEnable: [
      switchesPebsEnable(from.kernel, from.caps, false),
      switchesPebsEnable(from.kernel, from.caps, true),
    ],
  });
}

/** The same world with other guests. */
export function withGuests(world: World, wanted: readonly GuestFeatures[]): World {
  const { kernel, model } = world;
  if (model === null) {
    throw new RangeError('a machine made from raw capabilities has no vCPUs of its own');
  }
  const guestCaps = wanted.map((features) => guestPmuCaps(kernel, model, features));
  const guests = wanted.map((features, at) => ({ ...features, vpmu: guestCaps[at]!.vpmu }));
  return Object.freeze({
    ...world,
    guests: Object.freeze(guests),
    guestCaps: Object.freeze(guestCaps),
  });
}

/** The same world with other events. */
export function withEvents(world: World, eventConfigs: readonly PerfEventConfig[]): World {
  return Object.freeze({ ...world, eventConfigs: Object.freeze([...eventConfigs]) });
}

/** Adds a vCPU, its PMU as after a guest's reset, in a slot of its own or in that of one that is gone; returns the world that has it. */
export function addVcpu(
  world: World,
  state: MachineState,
  cpu: number,
  features: GuestFeatures,
  at = state.vcpus.length,
): World {
  const grown = withGuests(world, world.guests.toSpliced(at, 1, features));
  if (at === state.vcpus.length) {
    state.vcpus.push(new VcpuPmu());
  }
  const vcpu = state.vcpus[at]!;
  vcpu.cpu = cpu;
  vcpu.globalCtrl = grown.guestCaps[at]!.globalCtrlAtReset;
  return grown;
}

/** A vCPU is gone: what its events had is free for the host's. */
export function freeEventsOf(world: World, vcpu: number): World {
  const configs = world.eventConfigs.map((config) =>
    config.owner === vcpu ? { ...config, owner: HOST_OWNED, guestCounter: NO_COUNTER } : config,
  );
  return withEvents(world, configs);
}

/** Gives a slot, which may be a new one behind the last, to a closed event; returns the world that has its configuration. */
export function placeEvent(
  world: World,
  state: MachineState,
  at: number,
  config: PerfEventConfig,
): World {
  if (at === state.events.length) {
    state.events.push(new PerfEvent());
  }
  return withEvents(world, world.eventConfigs.toSpliced(at, 1, config));
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
