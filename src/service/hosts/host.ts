/**
 * A simulated host as the service knows it: its machine, the names of its parts, and its counts. A host is immutable: a
 * session makes the next one from it.
 */
import type { HostOptions } from '../../../schemas/kernel.js';
import { AddressBook } from '../../pmu/arch/address-book.js';
import type { U64 } from '../../pmu/arch/counter-set.js';
import type { CpuModel } from '../../pmu/arch/cpu-model.js';
import type { KernelVariant } from '../../pmu/kernels/kernel-variant.js';
import { boot } from '../../pmu/machine/boot.js';
import type { MachineState } from '../../pmu/machine/state.js';
import type { World } from '../../pmu/machine/world.js';
import type { Sampling } from '../../pmu/stepping/host-events.js';
import { Tally } from '../../pmu/stepping/tally.js';
import { NO_TAIL, type TraceTail } from './trace-text.js';

/** Limits of a service and of a host. */
export const HOSTS_MAX = 1000;
export const EVENTS_MAX = 64;
export const VCPUS_MAX = 16;
/** Together with those that are gone and that the trace still tells of; no frame of a trace has room for more. */
export const VCPU_SLOTS_MAX = 32;

/** What the client specified for an event and the machine does not keep. */
export interface EventRecord {
  readonly id: string;
  readonly name?: string;
  readonly requestedCounter?: string;
  readonly sampling: Sampling;
}

export interface VcpuRecord {
  readonly id: string;
  readonly name?: string;
  /** Guest entries so far. */
  runs: number;
  /** PMIs injected so far. */
  pmis: number;
  /** The guest's last writes to control registers of which the machine keeps only the enable bits, by MSR code. */
  readonly written: Map<number, U64>;
  /** Once it is removed: how much had happened on the host. The trace still names it. */
  readonly gone?: number;
}

/** How the actions of a host are recorded (recorded-actions.ts). */
export interface Recorded {
  /** The microcode it was made with; a late load changes the host's. */
  readonly microcode: U64;
  readonly actions: number;
  readonly bytes: number;
}

export interface Host {
  readonly id: string;
  readonly name?: string;
  readonly createdAt: string;
  readonly model: CpuModel;
  readonly kernel: KernelVariant;
  readonly stepping: number;
  readonly options: Required<HostOptions>;
  /** Incremented by every change. */
  version: number;
  addresses: AddressBook;
  microcode: U64;
  world: World;
  state: MachineState;
  /** By slot of the machine's events; undefined once the event is closed. */
  events: (EventRecord | undefined)[];
  /** By index of the machine's vCPUs. */
  vcpus: VcpuRecord[];
  /** Number of the next event and vCPU id. */
  nextId: number;
  readonly tally: Tally;
  /** By CPU: a bit mask of the invariants that failed when last evaluated. */
  violated: Int32Array;
  /** The newest micro-steps, not yet in a chunk. */
  tail: TraceTail;
  /** Undefined if an earlier version of the service made it or changed it. */
  recorded: Recorded | undefined;
}

interface HostSpec
  extends Pick<Host, 'id' | 'name' | 'createdAt' | 'model' | 'kernel' | 'stepping' | 'microcode'> {
  readonly cpus: number;
  readonly options: HostOptions;
}

export function createHost(spec: HostSpec): Host {
  const { cpus: _, options: wanted, ...identity } = spec;
  const options = {
    group_throttle: wanted.group_throttle ?? spec.kernel.options.groupThrottle,
    autoload_slots_taken: wanted.autoload_slots_taken ?? 0,
  };
  const { world, state } = boot({
    ...spec,
    groupThrottle: options.group_throttle,
    autoloadSlotsTaken: options.autoload_slots_taken,
  });
  return {
    ...identity,
    options,
    version: 0,
    addresses: new AddressBook(),
    world,
    state,
    events: [],
    vcpus: [],
    nextId: 1,
    tally: new Tally(),
    violated: new Int32Array(spec.cpus),
    tail: NO_TAIL,
    recorded: { microcode: spec.microcode, actions: 0, bytes: 0 },
  };
}
