/**
 * Everything that can happen to a machine: the actors of semantics.md §7.8, each as one action with its guard.
 *
 * Live hosts, scripts, calculators and searches change a machine that is set up through this file only. `refusal` answers why
 * an action cannot happen now (or null), `perform` makes it happen; an action that starts an operation executes no
 * micro-step yet, `ADVANCE` does. A guest's WRMSR, which takes an MSR and a value of 64 bits, is a function of its own.
 */
import type { CounterSet, U64 } from '../arch/counter-set.js';
import { running } from '../arch/hardware.js';
import { PEBS_ENABLE } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import { writeGuestMsr } from '../kvm/guest-msrs.js';
import { VcpuPmu } from '../kvm/vcpu-pmu.js';
import { CLOSED, INACTIVE, OFF } from '../perf/perf-event.js';
import { branchSnapshot, handleNmi, latchOverflow } from '../perf/pmi.js';
import { advance, isBlocked } from './advance.js';
import { begin, beginClose, beginDisable, beginEnable, beginRun } from './begin.js';
import {
  refuseAbsentThread,
  refuseClose,
  refuseMicrocode,
  refuseMigration,
  refuseNmi,
  refuseReserve,
  refuseRun,
  refuseShutDown,
  refuseUnlessIdle,
  refuseWithoutLeader,
  refuseWithoutSwitch,
} from './guards.js';
import { GUEST, isInGuest, K5_SWITCH, K8_PREPARE, REST, V2_ENTRY_LOAD } from './micro-step.js';
import { openEvent } from './open-close.js';
import { refuseReprogramming, reprogram } from './reprogram.js';
import { hasSchedulableEvents, hasScheduledEvents } from './sched-in-out.js';
import {
  DISABLE_EVENT,
  ENABLE_EVENT,
  EXIT_NMI,
  IDLE,
  type LogicalCpu,
  type MachineState,
  NO_VCPU,
  RUN_VCPU,
  SCHED_IN,
  SCHED_OUT,
  SECTION,
  TICK,
} from './state.js';
import { sectionsOfTick } from './tick-work.js';
import type { World } from './world.js';

/** Executes the next micro-step of a CPU's operation. */
export const ADVANCE = 0;
/** Starts vmx_vcpu_run of vCPU `target`. */
export const START_RUN = 1;
/** In the guest: the next VM-exit has the reason `value`. */
export const SET_EXIT = 2;
/** Before VMLAUNCH: it will fail, as EXIT_VMFAIL or EXIT_ENTRY_FAILURE in `value`. */
export const SET_ENTRY_FAILURE = 3;
/** An NMI: the counters `value` overflow first, and perf throttles those of `throttle`. Both 0: a foreign NMI. */
export const NMI = 4;
/** The counters `value` overflow; the NMI comes later. */
export const LATCH = 5;
/** Starts the tick. */
export const START_TICK = 6;
export const START_ENABLE = 7;
export const START_DISABLE = 8;
export const START_CLOSE = 9;
/** Opens the closed event `target` again, off. */
export const OPEN = 10;
export const START_SECTION = 11;
/** Moves vCPU `target` to logical CPU `cpu`. */
export const MIGRATE = 12;
/** The thread of vCPU `target` leaves its CPU, or comes to it, and its events with it. */
export const START_SCHED_OUT = 13;
export const START_SCHED_IN = 14;
/** A BPF program takes a branch snapshot in NMI context. */
export const SNAPSHOT = 15;
/** Late microcode load: PEBS is isolated from now on. */
export const MICROCODE = 16;
/** An NMI as above whose status never clears: after 100 loops the handler resets the PMU. Not in the guest. */
export const NMI_RESET = 17;
/** KVM brings the event behind a guest's counter, event `target`, a step nearer to what the guest's registers say. */
export const REPROGRAM = 18;
/** The thread of vCPU `target`, which has no events to move, is on its CPU now. */
export const ARRIVE = 19;
/** vCPU `target` is gone, and its thread with it. KVM has released its events. */
export const REMOVE_VCPU = 20;

export interface Action {
  kind: number;
  cpu: number;
  target: number;
  value: number;
  throttle: CounterSet;
}

/** Why the action cannot happen in this state, as a sentence; null when it can. */
export function refusal(world: World, state: MachineState, action: Action): string | null {
  const cpu = state.cpus[action.cpu]!;
  const shutDown = refuseShutDown(cpu);
  if (shutDown !== null) {
    return shutDown;
  }
  switch (action.kind) {
    case ADVANCE:
      return refuseAdvance(world, state, cpu);
    case START_RUN:
      return refuseRun(world, state, cpu, action.target);
    case SET_EXIT:
      return cpu.pc === GUEST ? null : 'the vCPU is not in the guest';
    case SET_ENTRY_FAILURE:
      return cpu.pc === K8_PREPARE ? null : 'the vCPU is not about to execute VMLAUNCH';
    case NMI:
      return refuseNmi(world, state, cpu, action.value, action.throttle);
    case NMI_RESET:
      return isInGuest(cpu.pc)
        ? 'the CPU is in the guest'
        : refuseNmi(world, state, cpu, action.value, action.throttle);
    case LATCH:
      return (action.value & ~running(cpu.hardware)) === 0
        ? null
        : 'only a running counter can overflow';
    case START_TICK:
      return refuseUnlessIdle(cpu);
    case START_ENABLE:
      return state.events[action.target]!.status === OFF
        ? refuseUnlessIdle(cpu)
        : 'the event is not off';
    case START_DISABLE:
      return state.events[action.target]!.status >= INACTIVE
        ? refuseUnlessIdle(cpu)
        : 'the event is not enabled';
    case START_CLOSE:
      return state.events[action.target]!.status === CLOSED
        ? 'the event is closed'
        : refuseClose(state, cpu);
    case OPEN:
      return state.events[action.target]!.status === CLOSED
        ? (refuseWithoutLeader(world, state, action.target) ?? refuseReserve(state))
        : 'the event is open';
    case START_SECTION:
      return refuseUnlessIdle(cpu);
    case MIGRATE:
      return refuseMigration(state, action.target, action.cpu);
    case START_SCHED_OUT:
      return refuseAbsentThread(cpu, action.target) ?? refuseUnlessIdle(cpu);
    case START_SCHED_IN:
      return hasScheduledEvents(world, state, cpu.currentVcpu, cpu)
        ? 'the events of another vCPU thread are on the CPU'
        : refuseUnlessIdle(cpu);
    case SNAPSHOT:
      return isInGuest(cpu.pc) ? 'the CPU is in the guest' : null;
    case MICROCODE:
      return refuseMicrocode(state);
    case REPROGRAM:
      return refuseReprogramming(world, state, cpu, action.target);
    case ARRIVE:
      return refuseWithoutSwitch(world, state, cpu, action.target);
    case REMOVE_VCPU:
      return refuseUnlessIdle(cpu);
    default:
      throw new RangeError(`unknown action ${action.kind}`);
  }
}

/** ADVANCE by itself, for drivers that do little else: its guard, and `advance`. */
export function refuseAdvance(world: World, state: MachineState, cpu: LogicalCpu): string | null {
  if (cpu.operation === IDLE) {
    return 'the CPU has no operation in progress';
  }
  return isBlocked(world, state, cpu) ? 'KVM waits until no PMI is pending' : null;
}

export { advance };

/** Makes the action happen; it must not be refused. Returns the micro-step executed, REST where none was. */
export function perform(
  world: World,
  state: MachineState,
  action: Action,
  sink: WriteSink,
): number {
  const cpu = state.cpus[action.cpu]!;
  switch (action.kind) {
    case ADVANCE:
      return advance(world, state, cpu, sink);
    case START_RUN:
      beginRun(world, state, cpu, action.target);
      break;
    case SET_EXIT:
    case SET_ENTRY_FAILURE:
      cpu.exitReason = action.value;
      break;
    case NMI:
    case NMI_RESET:
      deliverNmi(world, state, cpu, action, sink);
      break;
    case LATCH:
      latchOverflow(cpu, action.value);
      break;
    case START_TICK: {
      const sections = sectionsOfTick(world, state, cpu);
      cpu.cpuc.throttled = 0;
      if (sections !== 0) {
        begin(cpu, TICK, sections);
      }
      break;
    }
    case START_ENABLE:
      beginEnable(world, state, cpu, action.target, ENABLE_EVENT);
      break;
    case START_DISABLE:
      beginDisable(world, state, cpu, action.target, DISABLE_EVENT);
      break;
    case START_CLOSE:
      beginClose(world, state, cpu, action.target);
      break;
    case OPEN:
      openEvent(world, state, action.target, action.value, action.throttle, sink);
      break;
    case START_SECTION:
      begin(cpu, SECTION, 0);
      break;
    case MIGRATE:
      state.vcpus[action.target]!.cpu = action.cpu;
      break;
    case START_SCHED_OUT:
      begin(cpu, SCHED_OUT, action.target);
      break;
    case START_SCHED_IN:
      begin(cpu, SCHED_IN, action.target);
      break;
    case SNAPSHOT:
      branchSnapshot(world, cpu, sink);
      noteWriteAfterQuiesce(state, cpu);
      break;
    case MICROCODE:
      state.noIsolation = 0;
      break;
    case REPROGRAM:
      reprogram(world, state, cpu, action.target, sink);
      break;
    case ARRIVE:
      cpu.currentVcpu = action.target;
      break;
    case REMOVE_VCPU:
      if (cpu.currentVcpu === action.target) {
        cpu.currentVcpu = NO_VCPU;
      }
      state.vcpus[action.target]!.words.set(VcpuPmu.fresh);
      break;
  }
  return REST;
}

/** Why KVM cannot emulate a WRMSR of the vCPU's guest now, or null. */
export function refuseWrmsr(state: MachineState, vcpu: number): string | null {
  return refuseUnlessIdle(state.cpus[state.vcpus[vcpu]!.cpu]!);
}

/**
 * A guest's WRMSR, which must not be refused: returns why it takes a #GP, or null where the register took the value. What
 * follows for the events behind its counters is REPROGRAM. `identify` gives an address its handle.
 */
export function guestWrmsr(
  world: World,
  state: MachineState,
  vcpu: number,
  msr: number,
  value: U64,
  identify: (address: U64) => number,
): string | null {
  return writeGuestMsr(world.guestCaps[vcpu]!, state.vcpus[vcpu]!, msr, value, identify);
}

/**
 * The same for searches, which do not tell apart how a counter that counts is set up: what else a selector says stays as it is, and so
 * do where its records go and what is in them.
 */
export function guestWrmsrOfEnables(
  world: World,
  state: MachineState,
  at: number,
  msr: number,
  value: U64,
  identify: (address: U64) => number,
): void {
  const vcpu = state.vcpus[at]!;
  const { counterInt, inTransaction, checkpointed, dsArea, pebsDataCfg } = vcpu;
  guestWrmsr(world, state, at, msr, value, identify);
  vcpu.counterInt = counterInt;
  vcpu.inTransaction = inTransaction;
  vcpu.checkpointed = checkpointed;
  vcpu.dsArea = dsArea;
  vcpu.pebsDataCfg = pebsDataCfg;
}

function deliverNmi(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  { kind, value, throttle }: Action,
  sink: WriteSink,
): void {
  latchOverflow(cpu, value | throttle);
  if (isInGuest(cpu.pc)) {
    // The NMI makes the guest exit; KVM hands it to perf at k10, when the host's values are loaded.
    cpu.exitReason = EXIT_NMI;
    cpu.nmiThrottle |= throttle;
    return;
  }
  const cause = sink.beginNmi();
  handleNmi(world, state, cpu, throttle, false, sink, kind === NMI_RESET);
  sink.cause = cause;
  noteWriteAfterQuiesce(state, cpu);
}

/** Invariant I3o: somebody wrote IA32_PEBS_ENABLE after KVM had quiesced it. */
function noteWriteAfterQuiesce(state: MachineState, cpu: LogicalCpu): void {
  const quiesced =
    cpu.operation === RUN_VCPU && cpu.pc >= K5_SWITCH + PEBS_ENABLE && cpu.pc < V2_ENTRY_LOAD;
  if (
    quiesced &&
    state.noIsolation !== 0 &&
    cpu.hardware.pebsEnable !== 0 &&
    state.vcpus[cpu.target]!.autoload.has(PEBS_ENABLE)
  ) {
    cpu.wroteAfterQuiesce = 1;
  }
}

/** Whether the vCPU's thread must be switched out, in, or is where it can run. */
export function contextSwitchNeeded(world: World, state: MachineState, vcpu: number): number {
  const cpu = state.cpus[state.vcpus[vcpu]!.cpu]!;
  if (cpu.currentVcpu === vcpu) {
    return ADVANCE;
  }
  if (hasScheduledEvents(world, state, cpu.currentVcpu, cpu)) {
    return START_SCHED_OUT;
  }
  return hasSchedulableEvents(world, state, vcpu) ? START_SCHED_IN : ADVANCE;
}
