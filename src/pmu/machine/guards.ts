/** The longer guards of the machine's actions: why something cannot happen now, as a sentence, or null when it can. */
import type { CounterSet } from '../arch/counter-set.js';
import { CLOSED, NO_EVENT } from '../perf/perf-event.js';
import { activeEventOn } from '../perf/pmi.js';
import {
  isInGuest,
  K9_VMLAUNCH,
  V3_INJECT,
  V4_SAVE,
  V6_EXIT_LOAD,
  VMX_ABORT,
} from './micro-step.js';
import { hasSchedulableEvents, hasScheduledEvents } from './sched-in-out.js';
import {
  EXIT_NMI,
  IDLE,
  type LogicalCpu,
  type MachineState,
  OPERATION_NAMES,
  RUN_VCPU,
  SECTION,
} from './state.js';
import type { World } from './world.js';

export function refuseShutDown(cpu: LogicalCpu): string | null {
  return cpu.pc === VMX_ABORT
    ? 'the CPU has shut down after a VMX abort: nothing but a reset brings it back'
    : null;
}

/** Null where the CPU is idle, and only there. */
export function refuseUnlessIdle(cpu: LogicalCpu): string | null {
  switch (cpu.operation) {
    case IDLE:
      return null;
    case RUN_VCPU:
      return refuseShutDown(cpu) ?? refuseDuringRun(cpu);
    case SECTION:
      return `CPU ${cpu.index} is between PMU disable and PMU enable: PMU enable comes first`;
    default:
      return `CPU ${cpu.index} is busy (${OPERATION_NAMES[cpu.operation]})`;
  }
}

function refuseDuringRun({ index, pc, target }: LogicalCpu): string {
  return isInGuest(pc)
    ? `CPU ${index} is in the guest of v${target}: a VM-exit comes first`
    : `CPU ${index} is in the middle of a run of v${target}, with interrupts off`;
}

/** `perf_event_open` takes the leader's file descriptor. */
export function refuseWithoutLeader(world: World, state: MachineState, at: number): string | null {
  const { leader } = world.eventConfigs[at]!;
  return leader !== NO_EVENT && state.events[leader]!.status === CLOSED
    ? 'its group leader is closed'
    : null;
}

/** Reserving or releasing the DS areas sends an IPI to every CPU, which must be answered. */
export function refuseReserve(state: MachineState): string | null {
  const open = state.events.filter((event) => event.status !== CLOSED).length;
  const busy = state.cpus.some((cpu) => cpu.operation !== IDLE);
  return open <= 1 && busy
    ? 'the first event reserves the DS areas of every CPU and the last releases them, so no CPU may have an operation in progress'
    : null;
}

export function refuseClose(state: MachineState, cpu: LogicalCpu): string | null {
  return refuseUnlessIdle(cpu) ?? refuseReserve(state);
}

export function refuseRun(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  vcpu: number,
): string | null {
  if (cpu.operation !== IDLE) {
    return refuseUnlessIdle(cpu);
  }
  if (state.vcpus[vcpu]!.cpu !== cpu.index) {
    return 'the vCPU belongs to another CPU';
  }
  return refuseWithoutSwitch(world, state, cpu, vcpu);
}

export function refuseAbsentThread(cpu: LogicalCpu, vcpu: number): string | null {
  return cpu.currentVcpu === vcpu ? null : 'the vCPU thread is not on its CPU';
}

/** A thread that has no events to move, and follows one that has none, is on its CPU as soon as it runs. */
export function refuseWithoutSwitch(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  vcpu: number,
): string | null {
  if (cpu.currentVcpu === vcpu) {
    return null;
  }
  const moves =
    hasSchedulableEvents(world, state, vcpu) ||
    hasScheduledEvents(world, state, cpu.currentVcpu, cpu);
  return moves
    ? 'a context switch must bring the vCPU thread and its events to the CPU first'
    : null;
}

export function refuseMigration(state: MachineState, vcpu: number, to: number): string | null {
  const from = state.cpus[state.vcpus[vcpu]!.cpu]!;
  if (from.pc === VMX_ABORT) {
    return 'the CPU that the vCPU is to leave has shut down after a VMX abort';
  }
  if (from.operation === RUN_VCPU && from.target === vcpu) {
    return 'preemption is off from k0 to k13: the vCPU cannot migrate in the middle of a run';
  }
  if (from.operation !== IDLE) {
    return 'the CPU that the vCPU is on has an operation in progress';
  }
  if (from.index === to) {
    return 'the vCPU is on that CPU already';
  }
  return from.currentVcpu === vcpu ? 'the vCPU thread must leave its CPU first' : null;
}

export function refuseMicrocode(state: MachineState): string | null {
  if (state.noIsolation === 0) {
    return 'PEBS is isolated already';
  }
  for (const { pc } of state.cpus) {
    if (pc === VMX_ABORT) {
      return 'a CPU has shut down after a VMX abort, and a late load waits for all of them';
    }
  }
  return null;
}

export function refuseNmi(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  overflow: CounterSet,
  throttle: CounterSet,
): string | null {
  if (cpu.pc === K9_VMLAUNCH || (cpu.pc > K9_VMLAUNCH && cpu.pc < V3_INJECT)) {
    return 'no NMI can land inside VM-entry';
  }
  if (cpu.pc >= V4_SAVE && cpu.pc <= V6_EXIT_LOAD) {
    return 'no NMI can land inside VM-exit';
  }
  if (cpu.exitReason === EXIT_NMI && isInGuest(cpu.pc)) {
    return 'an NMI is being delivered already';
  }
  let rest = overflow | throttle;
  while (rest !== 0) {
    const counter = rest & -rest;
    rest &= ~counter;
    const at = activeEventOn(state.events, cpu, counter);
    if (at === NO_EVENT) {
      return counter & throttle
        ? 'perf throttles active events only, and a counter to throttle has none'
        : 'a counter that overflows must have an active event';
    }
    if (counter & throttle && !world.eventConfigs[at]!.sampling) {
      return 'a counting event is never throttled';
    }
  }
  return null;
}
