/**
 * What a trace follows of a machine besides the micro-steps: the registers and what perf wants in them, the list that perf
 * hands KVM, and the load areas. A frame is these values at one moment.
 *
 * A trace keeps what each entry changed, with the values before. So one goes backwards from the machine as it is now: nothing
 * is lost with what a trace forgets at its old end, nor in a gap.
 */
import { SWITCHED_MSRS } from '../arch/msr.js';
import type { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { V1_GUEST_STATE, V6_EXIT_LOAD } from '../machine/micro-step.js';
import { desiredValue, registerValue, TOLD_MSRS } from '../machine/registers.js';
import type { LogicalCpu, MachineState } from '../machine/state.js';
import type { World } from '../machine/world.js';

// Columns of a CPU. Stored traces number them, so new ones come last.
/** What each of TOLD_MSRS holds, and what perf wants in it. */
export const VALUE = 0;
export const DESIRED = VALUE + TOLD_MSRS.length;
export const ENABLED = DESIRED + TOLD_MSRS.length;
/** Registers are the guest's, or on their way: from the first load of VM-entry to the last but one of VM-exit. */
export const OF_GUEST = ENABLED + 1;
export const EXIT_REASON = OF_GUEST + 1;
/** The invariants that fail, as a bit mask over INVARIANTS. */
export const VIOLATED = EXIT_REASON + 1;
/** The list, by MSR code: which are on it, the host's values, the guest's. */
export const LISTED = VIOLATED + 1;
export const LIST_HOST = LISTED + 1;
export const LIST_GUEST = LIST_HOST + SWITCHED_MSRS;
const CPU_COLUMNS = LIST_GUEST + SWITCHED_MSRS;

// Columns of a vCPU.
/** The load areas, by MSR code: which are in them, what VM-entry loads, what VM-exit loads. */
export const IN_AREAS = 0;
export const ENTRY_AREA = 1;
export const EXIT_AREA = ENTRY_AREA + SWITCHED_MSRS;
/** Whether the VMCS fields of IA32_PERF_GLOBAL_CTRL are used, and what they hold. */
export const FIELDS_USED = EXIT_AREA + SWITCHED_MSRS;
export const GUEST_FIELD = FIELDS_USED + 1;
export const HOST_FIELD = GUEST_FIELD + 1;
const VCPU_COLUMNS = HOST_FIELD + 1;

export interface Frame {
  readonly cpus: readonly Int32Array[];
  readonly vcpus: readonly Int32Array[];
}

/** Places that changed, each followed by the value before, in the order of the changes. */
export type Changes = readonly number[];

/** No machine has as many CPUs or vCPUs. */
const OWNERS = 32;
const VCPU_PLACES = 64 * OWNERS;

/** Whether the value at a place is a mask of invariants. */
export function isOfInvariants(place: number): boolean {
  return place < VCPU_PLACES && Math.floor(place / OWNERS) === VIOLATED;
}

export function frameOf(world: World, state: MachineState, violated: Int32Array): Frame {
  const watch = new FrameWatch();
  watch.look(world, state, violated);
  return watch.frame();
}

/** The frame before some changes; what did not change is shared. */
export function frameBefore(frame: Frame, changes: Changes): Frame {
  if (changes.length === 0) {
    return frame;
  }
  const cpus = [...frame.cpus];
  const vcpus = [...frame.vcpus];
  for (let at = changes.length - 2; at >= 0; at -= 2) {
    const place = changes[at]!;
    const isVcpu = place >= VCPU_PLACES;
    const [now, own] = isVcpu ? [frame.vcpus, vcpus] : [frame.cpus, cpus];
    const owner = place % OWNERS;
    if (own[owner] === now[owner]) {
      own[owner] = now[owner]!.slice();
    }
    own[owner]![Math.floor((isVcpu ? place - VCPU_PLACES : place) / OWNERS)] = changes[at + 1]!;
  }
  return { cpus, vcpus };
}

const NOTHING: Changes = [];

/** Looks at a machine now and then, and says what has changed since it last did. */
export class FrameWatch {
  private readonly cpus: Int32Array[] = [];
  private readonly vcpus: Int32Array[] = [];
  private readonly cpu = new Int32Array(CPU_COLUMNS);
  private readonly vcpu = new Int32Array(VCPU_COLUMNS);

  /** At the whole machine, or at one CPU and the vCPU there. */
  look(world: World, state: MachineState, violated: Int32Array, only?: LogicalCpu): Changes {
    let changes: number[] | null = null;
    for (let at = 0; at < state.cpus.length; at += 1) {
      if (only === undefined || only.index === at) {
        readCpu(world, state.cpus[at]!, violated[at]!, this.cpu);
        changes = see(this.cpu, this.cpus, at, 0, changes);
      }
    }
    for (let at = 0; at < state.vcpus.length; at += 1) {
      if (only === undefined || only.target === at) {
        readVcpu(state.vcpus[at]!, this.vcpu);
        changes = see(this.vcpu, this.vcpus, at, VCPU_PLACES, changes);
      }
    }
    return changes ?? NOTHING;
  }

  /** What it saw last; frames share what is the same in them. */
  frame(): Frame {
    return { cpus: [...this.cpus], vcpus: [...this.vcpus] };
  }
}

/** Puts what is there now in the place of what was known of it, and adds what differs to the changes. */
function see(
  now: Int32Array,
  known: Int32Array[],
  owner: number,
  places: number,
  changes: number[] | null,
): number[] | null {
  const before = known[owner];
  let all = changes;
  let isSame = before !== undefined;
  for (let column = 0; column < now.length; column += 1) {
    const was = before === undefined ? 0 : before[column]!;
    if (was !== now[column]) {
      isSame = false;
      all ??= [];
      all.push(places + column * OWNERS + owner, was);
    }
  }
  if (!isSame) {
    known[owner] = now.slice();
  }
  return all;
}

function readCpu(world: World, cpu: LogicalCpu, violated: number, out: Int32Array): void {
  for (let at = 0; at < TOLD_MSRS.length; at += 1) {
    out[VALUE + at] = registerValue(cpu, TOLD_MSRS[at]!);
    out[DESIRED + at] = desiredValue(world, cpu, TOLD_MSRS[at]!);
  }
  const { enabled, guestSwitchMsrs } = cpu.cpuc;
  out[ENABLED] = enabled;
  out[OF_GUEST] = cpu.pc >= V1_GUEST_STATE && cpu.pc < V6_EXIT_LOAD ? 1 : 0;
  out[EXIT_REASON] = cpu.exitReason;
  out[VIOLATED] = violated;
  out[LISTED] = guestSwitchMsrs.present;
  out.set(guestSwitchMsrs.host, LIST_HOST);
  out.set(guestSwitchMsrs.guest, LIST_GUEST);
}

function readVcpu(vcpu: VcpuPmu, out: Int32Array): void {
  const { autoload } = vcpu;
  out[IN_AREAS] = autoload.present;
  out.set(autoload.guest, ENTRY_AREA);
  out.set(autoload.host, EXIT_AREA);
  out[FIELDS_USED] = vcpu.loadGlobalCtrl;
  out[GUEST_FIELD] = vcpu.guestGlobalCtrl;
  out[HOST_FIELD] = vcpu.hostGlobalCtrl;
}
