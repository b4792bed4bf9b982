/**
 * How operations begin that depend on more than an idle CPU: enabling and disabling an event, and a vCPU's run.
 *
 * Models: `vcpu_enter_guest` up to `vmx_vcpu_run`, `kvm_pmu_handle_event` (Linux arch/x86/kvm/{x86.c,pmu.c}). Before a run
 * KVM pauses and resumes the event behind every guest counter that overflowed, each between a PMU disable and enable of its own.
 */
import { nextOverflowed } from '../kvm/guest-counters.js';
import { HOST_OWNED, INACTIVE, isScheduled, NO_EVENT, OFF } from '../perf/perf-event.js';
import { closeIdleEvent } from './open-close.js';
import { enablingReschedules } from './sched-in-out.js';
import {
  CLOSE_EVENT,
  IDLE,
  type LogicalCpu,
  type MachineState,
  NO_VCPU,
  PAUSE_EVENT,
  RESUME_EVENT,
  RUN_VCPU,
} from './state.js';
import type { World } from './world.js';

export function begin(cpu: LogicalCpu, operation: number, target: number): void {
  cpu.operation = operation;
  cpu.target = target;
}

export function beginEnable(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  at: number,
  operation: number,
): void {
  state.events[at]!.status = INACTIVE;
  if (enablingReschedules(world, state, at)) {
    begin(cpu, operation, at);
  }
}

/** An event in the error state is not enabled to perf, and one without a counter may leave the PMU alone. */
export function beginDisable(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  at: number,
  operation: number,
): void {
  forgetOverflow(world, state, at);
  const event = state.events[at]!;
  const { status } = event;
  if (isScheduled(event, cpu)) {
    begin(cpu, operation, at);
    return;
  }
  event.status = OFF;
  if (status === INACTIVE && world.perfOptions.idleDisableRunsSection) {
    begin(cpu, operation, at);
  }
}

export function beginClose(world: World, state: MachineState, cpu: LogicalCpu, at: number): void {
  forgetOverflow(world, state, at);
  if (isScheduled(state.events[at]!, cpu)) {
    begin(cpu, CLOSE_EVENT, at);
  } else {
    closeIdleEvent(world, state, at);
  }
}

/** Only KVM stops a guest's event, and then has reprogrammed it: an overflow noted before is dealt with. */
function forgetOverflow(world: World, state: MachineState, at: number): void {
  const { owner, guestCounter } = world.eventConfigs[at]!;
  if (owner !== HOST_OWNED) {
    state.vcpus[owner]!.reprogram &= ~(1 << guestCounter);
  }
}

/** Begins a vCPU's run, or what KVM has to do before it. */
export function beginRun(world: World, state: MachineState, cpu: LogicalCpu, vcpu: number): void {
  const at = nextOverflowed(state.vcpus[vcpu]!, vcpu, world.eventConfigs);
  if (at === NO_EVENT) {
    begin(cpu, RUN_VCPU, vcpu);
    return;
  }
  cpu.currentVcpu = vcpu;
  beginDisable(world, state, cpu, at, PAUSE_EVENT);
  if (cpu.operation === IDLE) {
    beginResume(world, state, cpu, at);
  }
}

/** A guest's event is paused; what follows. */
export function beginResume(world: World, state: MachineState, cpu: LogicalCpu, at: number): void {
  beginEnable(world, state, cpu, at, RESUME_EVENT);
}

/** The vCPU that the CPU runs or is about to run, or NO_VCPU. */
export function vcpuOfRun(world: World, { operation, target }: LogicalCpu): number {
  if (operation === RUN_VCPU) {
    return target;
  }
  const isBefore = operation === PAUSE_EVENT || operation === RESUME_EVENT;
  return isBefore ? world.eventConfigs[target]!.owner : NO_VCPU;
}
