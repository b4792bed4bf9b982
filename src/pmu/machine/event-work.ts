/**
 * What an operation does to perf events between PMU disable and enable, one event per micro-step, and the opening and
 * closing of events around it.
 *
 * Models: `event_sched_in`, `event_sched_out`, `perf_event_task_sched_*`, `perf_adjust_freq_unthr_context` (Linux
 * kernel/events/core.c) and `reserve_ds_buffers` (arch/x86/events/intel/ds.c); semantics sheet §3.2, §3.4, §1.2.
 */
import { DS_AREA, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import {
  CLOSED,
  HOST_OWNED,
  INACTIVE,
  isScheduled,
  NO_EVENT,
  OFF,
  THROTTLED,
} from '../perf/perf-event.js';
import { addEvent, nextOfGroup, nextToAdd, removeEvent } from '../perf/schedule.js';
import { startEvent } from '../perf/start-stop.js';
import {
  CLOSE_EVENT,
  DISABLE_EVENT,
  ENABLE_EVENT,
  type LogicalCpu,
  type MachineState,
  NO_VCPU,
  SCHED_IN,
  SCHED_OUT,
  TICK,
} from './state.js';
import type { World } from './world.js';

/** The identity of a CPU's DS area: addresses are small numbers inside, 0 is null. */
export function dsAreaOf(cpu: LogicalCpu): number {
  return cpu.index + 1;
}

/** Whether the operation has an event left to add, remove or unthrottle. */
export function hasEventWork(world: World, state: MachineState, cpu: LogicalCpu): boolean {
  return nextEvent(world, state, cpu) !== NO_EVENT;
}

/** Adds, removes or unthrottles the next event of the operation. */
export function doEventWork(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  sink: WriteSink,
): void {
  const at = nextEvent(world, state, cpu);
  const { events } = state;
  switch (cpu.operation) {
    case ENABLE_EVENT:
    case SCHED_IN:
      addEvent(world, events, at, cpu);
      return;
    case TICK:
      startEvent(world, events, at, cpu, sink);
      return;
    case DISABLE_EVENT:
      removeEvent(world, events, at, cpu, at === cpu.target ? OFF : INACTIVE, sink);
      return;
    case CLOSE_EVENT:
      removeEvent(world, events, at, cpu, at === cpu.target ? CLOSED : INACTIVE, sink);
      return;
    case SCHED_OUT:
      removeEvent(world, events, at, cpu, INACTIVE, sink);
  }
}

function nextEvent(world: World, state: MachineState, cpu: LogicalCpu): number {
  const { events } = state;
  switch (cpu.operation) {
    case ENABLE_EVENT:
      return nextToAdd(world, events, cpu, world.eventConfigs[cpu.target]!.owner);
    case SCHED_IN:
      return nextToAdd(world, events, cpu, cpu.target);
    case DISABLE_EVENT:
    case CLOSE_EVENT:
      return nextOfGroup(world, events, cpu.target, cpu);
    case SCHED_OUT:
      return events.findIndex(
        (event, at) => world.eventConfigs[at]!.owner === cpu.target && isScheduled(event, cpu),
      );
    case TICK:
      return nextThrottled(state, cpu);
    default:
      return NO_EVENT;
  }
}

/** The first throttled event of a CPU, or NO_EVENT. */
export function nextThrottled(state: MachineState, cpu: LogicalCpu): number {
  const { events } = state;
  for (let at = 0; at < events.length; at += 1) {
    if (events[at]!.status === THROTTLED && events[at]!.cpu === cpu.index) {
      return at;
    }
  }
  return NO_EVENT;
}

/** Whether the tick has anything to do on a CPU: a throttled event or one in frequency mode. */
export function tickHasWork(world: World, state: MachineState, cpu: LogicalCpu): boolean {
  return state.events.some(
    (event, at) =>
      isScheduled(event, cpu) && (event.status === THROTTLED || world.eventConfigs[at]!.freq),
  );
}

/** Whether a vCPU has events that a context switch must move. */
export function hasSchedulableEvents(world: World, state: MachineState, vcpu: number): boolean {
  return state.events.some(
    (event, at) => world.eventConfigs[at]!.owner === vcpu && event.status === INACTIVE,
  );
}

/** Whether a vCPU's events hold counters on a CPU. */
export function hasScheduledEvents(
  world: World,
  state: MachineState,
  vcpu: number,
  cpu: LogicalCpu,
): boolean {
  if (vcpu === NO_VCPU) {
    return false;
  }
  return state.events.some(
    (event, at) => world.eventConfigs[at]!.owner === vcpu && isScheduled(event, cpu),
  );
}

/** Opens a slot as an event that is off. The first event of the machine reserves the DS areas of every CPU. */
export function openEvent(
  world: World,
  state: MachineState,
  at: number,
  preciseIp: number,
  dataCfg: number,
  sink: WriteSink,
): void {
  const isFirst = state.events.every((event) => event.status === CLOSED);
  const event = state.events[at]!;
  event.status = OFF;
  event.preciseIp = preciseIp;
  event.dataCfg = dataCfg;
  if (world.eventConfigs[at]!.owner === HOST_OWNED) {
    event.cpu = world.eventConfigs[at]!.cpu;
  }
  if (isFirst && world.caps.dsPebs) {
    for (const cpu of state.cpus) {
      cpu.cpuc.ds = dsAreaOf(cpu);
      cpu.hardware.dsArea = cpu.cpuc.ds;
      sink.write(DS_AREA, PERF_WRMSR, cpu.cpuc.ds, 'reserve');
    }
  }
}

/** Closes an event that holds no counter. */
export function closeIdleEvent(state: MachineState, at: number): void {
  state.events[at]!.status = CLOSED;
  releaseIfLast(state);
}

/**
 * The last event's release forgets the DS areas. IA32_DS_AREA keeps its old value: the routine that would clear it
 * returns early once `ds` is NULL.
 */
export function releaseIfLast(state: MachineState): void {
  if (state.events.every((event) => event.status === CLOSED)) {
    for (const cpu of state.cpus) {
      cpu.cpuc.ds = 0;
    }
  }
}
