/**
 * The state of a simulated machine: everything that changes, as records of small integers.
 *
 * What is constant (CPU model, kernel, event configurations) is in the `World`. Write counts, names and history are
 * nowhere here: they cannot influence what happens next.
 */

import { Hardware } from '../arch/hardware.js';
import { recordOf } from '../fields/record.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { CpuHwEvents } from '../perf/cpu-hw-events.js';
import { type PerfCpu, PerfEvent } from '../perf/perf-event.js';
import { EXIT_REASONS, OPERATION_NAMES } from '../vocabulary.js';
import { REST, STEP_NAMES } from './micro-step.js';

// What a logical CPU is doing; the target is an event or a vCPU.
export const IDLE = 0;
export const RUN_VCPU = 1;
/** A bare PMU disable … enable, as around a context switch or an IPI. */
export const SECTION = 2;
export const ENABLE_EVENT = 3;
export const DISABLE_EVENT = 4;
export const CLOSE_EVENT = 5;
/** The timer tick's unthrottling and frequency adjustment; the target says which contexts are left (tick-work.ts). */
export const TICK = 6;
/** The vCPU thread's events leave, or come to, the CPU at a context switch. */
export const SCHED_OUT = 7;
export const SCHED_IN = 8;
/** KVM disables, then enables, the event behind a guest counter that overflowed; the vCPU's run follows. */
export const PAUSE_EVENT = 9;
export const RESUME_EVENT = 10;

/** Whether an operation's target is an event. */
export function isAboutEvent(operation: number): boolean {
  return (operation >= ENABLE_EVENT && operation <= CLOSE_EVENT) || operation >= PAUSE_EVENT;
}

/** Whether an operation's target is a vCPU. */
export function isAboutVcpu(operation: number): boolean {
  return operation === RUN_VCPU || operation === SCHED_OUT || operation === SCHED_IN;
}

// Why the guest was, or will be, left.
export const NO_EXIT = 0;
export const EXIT_EXTERNAL_INTERRUPT = 1;
export const EXIT_NMI = 2;
export const EXIT_HLT = 3;
/** Handled in the fast path, which re-enters the guest with interrupts still off. */
export const EXIT_REENTER = 4;
/** VMLAUNCH itself failed: nothing was loaded. */
export const EXIT_VMFAIL = 5;
/** The guest-state checks failed (reason 33): host state and the exit area are loaded. */
export const EXIT_ENTRY_FAILURE = 6;
export const EXIT_NAMES = ['none', ...EXIT_REASONS] as const;
export { type ExitReasonName, OPERATION_NAMES } from '../vocabulary.js';

export const NO_VCPU = -1;

export class LogicalCpu
  extends recordOf(
    {
      /** The micro-step executed last. */
      pc: {
        kind: 'number',
        width: 6,
        name: 'micro-step',
        initial: REST,
        names: STEP_NAMES,
        bookkeeping: true,
      },
      operation: {
        kind: 'number',
        width: 4,
        name: 'operation',
        initial: IDLE,
        names: OPERATION_NAMES,
        bookkeeping: true,
      },
      /** The event or vCPU the operation is about. */
      target: { kind: 'target', name: 'target', bookkeeping: true },
      /** How far the operation has come in its list of events, where it goes through one; see sched-in-out.ts and tick-work.ts. */
      cursor: { kind: 'cursor', name: 'cursor', kept: 'walks_lists', bookkeeping: true },
      /** The vCPU whose thread's events are scheduled here, or NO_VCPU. */
      currentVcpu: { kind: 'vcpu', name: 'vCPU thread', initial: NO_VCPU },
      exitReason: {
        kind: 'number',
        width: 3,
        name: 'exit reason',
        initial: NO_EXIT,
        names: EXIT_NAMES,
      },
      /** Counters that the NMI taken in the guest is to throttle once KVM hands it to perf at k10. */
      nmiThrottle: { kind: 'counters', name: 'to be throttled at k10', kept: 'overflows' },
      /**
       * On a CPU without isolation a record of a host event may be on its way into the guest: its bit in IA32_PEBS_ENABLE
       * was set at VMLAUNCH, or set again since KVM quiesced the register (invariants I3o, I3).
       */
      wroteAfterQuiesce: { kind: 'number', width: 1, name: 'a record may complete in the guest' },
    },
    { hardware: Hardware, cpuc: CpuHwEvents },
  )
  implements PerfCpu
{
  readonly index: number;

  constructor(index: number, words?: Int32Array) {
    super(words);
    this.index = index;
  }
}

export class MachineState extends recordOf({
  /** `x86_pmu.pebs_no_isolation`; a late microcode load clears it. */
  noIsolation: { kind: 'number', width: 1, name: 'pebs_no_isolation' },
}) {
  readonly cpus: LogicalCpu[] = [];
  readonly vcpus: VcpuPmu[] = [];
  readonly events: PerfEvent[] = [];
  /** The words of all records, where the shape is fixed. */
  private readonly whole: Int32Array | null;

  /** A state without CPUs; or a copy of another, which keeps its shape and is copied at once (for searches). */
  constructor(of?: MachineState) {
    const whole = of === undefined ? null : new Int32Array(sizeOf(of));
    let at = MachineState.fresh.length;
    super(whole?.subarray(0, at));
    this.whole = whole;
    if (of === undefined || whole === null) {
      return;
    }
    const take = ({ fresh }: { readonly fresh: Int32Array }): Int32Array => {
      at += fresh.length;
      return whole.subarray(at - fresh.length, at);
    };
    this.cpus = of.cpus.map((_, index) => new LogicalCpu(index, take(LogicalCpu)));
    this.vcpus = of.vcpus.map(() => new VcpuPmu(take(VcpuPmu)));
    this.events = of.events.map(() => new PerfEvent(take(PerfEvent)));
    this.copyFrom(of);
  }

  override toJSON(): object {
    return { ...super.toJSON(), cpus: this.cpus, vcpus: this.vcpus, events: this.events };
  }

  /** Makes this state equal to another, which may have more events and vCPUs but never fewer. */
  override copyFrom(from: MachineState): void {
    if (this.whole !== null && from.whole !== null) {
      this.whole.set(from.whole);
      return;
    }
    super.copyFrom(from);
    while (this.cpus.length < from.cpus.length) {
      this.cpus.push(new LogicalCpu(this.cpus.length));
    }
    while (this.vcpus.length < from.vcpus.length) {
      this.vcpus.push(new VcpuPmu());
    }
    while (this.events.length < from.events.length) {
      this.events.push(new PerfEvent());
    }
    if (this.vcpus.length > from.vcpus.length || this.events.length > from.events.length) {
      this.vcpus.length = from.vcpus.length;
      this.events.length = from.events.length;
    }
    for (let at = 0; at < from.cpus.length; at += 1) {
      this.cpus[at]!.copyFrom(from.cpus[at]!);
    }
    for (let at = 0; at < from.vcpus.length; at += 1) {
      this.vcpus[at]!.copyFrom(from.vcpus[at]!);
    }
    for (let at = 0; at < from.events.length; at += 1) {
      this.events[at]!.copyFrom(from.events[at]!);
    }
  }
}

/** The words of a state's records. */
function sizeOf({ cpus, vcpus, events }: MachineState): number {
  return (
    MachineState.fresh.length +
    cpus.length * LogicalCpu.fresh.length +
    vcpus.length * VcpuPmu.fresh.length +
    events.length * PerfEvent.fresh.length
  );
}
