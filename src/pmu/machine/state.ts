/**
 * The state of a simulated machine: everything that changes, as records of small integers.
 *
 * What is constant (CPU model, kernel, event configurations) is in the `World`. Write counts, names and history are
 * nowhere here: they cannot influence what happens next.
 */

import { Hardware } from '../arch/hardware.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { CpuHwEvents } from '../perf/cpu-hw-events.js';
import { type PerfCpu, PerfEvent } from '../perf/perf-event.js';
import { EXIT_REASONS } from '../vocabulary.js';
import { REST } from './micro-step.js';

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
export const OPERATION_NAMES = [
  'idle',
  'run_vcpu',
  'pmu_section',
  'enable_event',
  'disable_event',
  'close_event',
  'tick',
  'sched_out',
  'sched_in',
  'pause_event',
  'resume_event',
] as const;

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
export type { ExitReasonName } from '../vocabulary.js';

export const NO_VCPU = -1;

export class LogicalCpu implements PerfCpu {
  readonly index: number;
  readonly hardware = new Hardware();
  readonly cpuc = new CpuHwEvents();
  operation = IDLE;
  /** The event or vCPU the operation is about. */
  target = 0;
  /** The micro-step executed last. */
  pc = REST;
  /** How far the operation has come in its list of events, where it goes through one; see event-work.ts and tick-work.ts. */
  cursor = 0;
  /** The vCPU whose thread's events are scheduled here, or NO_VCPU. */
  currentVcpu = NO_VCPU;
  exitReason = NO_EXIT;
  /** Counters that the NMI taken in the guest is to throttle once KVM hands it to perf at k10. */
  nmiThrottle = 0;
  /**
   * On a CPU without isolation a record of a host event may be on its way into the guest: its bit in IA32_PEBS_ENABLE was
   * set at VMLAUNCH, or set again since KVM quiesced the register (invariants I3o, I3).
   */
  overshoot = 0;

  constructor(index: number) {
    this.index = index;
  }

  copyFrom(from: LogicalCpu): void {
    this.hardware.copyFrom(from.hardware);
    this.cpuc.copyFrom(from.cpuc);
    this.operation = from.operation;
    this.target = from.target;
    this.pc = from.pc;
    this.cursor = from.cursor;
    this.currentVcpu = from.currentVcpu;
    this.exitReason = from.exitReason;
    this.nmiThrottle = from.nmiThrottle;
    this.overshoot = from.overshoot;
  }
}

export class MachineState {
  /** `x86_pmu.pebs_no_isolation`; a late microcode load clears it. */
  noIsolation = 0;
  readonly cpus: LogicalCpu[] = [];
  readonly vcpus: VcpuPmu[] = [];
  readonly events: PerfEvent[] = [];

  /** Makes this state equal to another, which may have more events and vCPUs but never fewer. */
  copyFrom(from: MachineState): void {
    this.noIsolation = from.noIsolation;
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
