/**
 * What an operation does to perf events between PMU disable and enable, one event per micro-step, and the opening and
 * closing of events around it.
 *
 * Models: `ctx_resched`, `group_sched_out`, `perf_event_context_sched_in`, `perf_adjust_freq_unthr_events` (Linux
 * kernel/events/core.c) and `reserve_ds_buffers` (arch/x86/events/intel/ds.c); semantics.md §1.2, §3.2, §3.4, §3.7.
 * Enabling an event takes every event of its class, and of the classes below it, out and in again.
 */
import { DS_AREA, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import {
  ACTIVE,
  ADDED,
  CLOSED,
  ERROR,
  HOST_OWNED,
  INACTIVE,
  isLeader,
  isScheduled,
  NO_COUNTER,
  NO_EVENT,
  NO_TAG,
  OFF,
  type PerfEvent,
  STOPPED,
} from '../perf/perf-event.js';
import { leaderOf, siblingOfRank } from '../perf/pmi.js';
import { addEvent, removeEvent } from '../perf/schedule.js';
import {
  belongsTo,
  classOf,
  detachSiblings,
  FLEXIBLE,
  PINNED,
  placeOf,
  placesOf,
  rankNew,
  TASK,
} from './event-order.js';
import {
  CLOSE_EVENT,
  DISABLE_EVENT,
  ENABLE_EVENT,
  type LogicalCpu,
  type MachineState,
  NO_VCPU,
  PAUSE_EVENT,
  RESUME_EVENT,
  SCHED_IN,
  SCHED_OUT,
  TICK,
} from './state.js';
import { nextOfTick, tickEvent } from './tick-work.js';
import type { World } from './world.js';

// What is done to an event; the low bits of a piece of work are the event.
const REMOVE = 0;
const ADD = 1 << 8;
const TICKED = 2 << 8;
const NO_WORK = -1;

/** The handle of a CPU's DS area: addresses are small numbers inside, 0 is null. */
export function dsAreaOf(cpu: LogicalCpu): number {
  return cpu.index + 1;
}

/** Whether the operation has an event left to take out, to put in, or to restart. */
export function hasPending(world: World, state: MachineState, cpu: LogicalCpu): boolean {
  return nextWork(world, state, cpu) !== NO_WORK;
}

/** The event that the next piece of work is about; there is one. */
export function pendingEvent(world: World, state: MachineState, cpu: LogicalCpu): number {
  return nextWork(world, state, cpu) & 0xff;
}

/** Takes the next event of the operation out, puts it in, or restarts it. */
export function scheduleNext(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  sink: WriteSink,
): void {
  const work = nextWork(world, state, cpu);
  const at = work & 0xff;
  if (work >= TICKED) {
    tickEvent(world, state, cpu, sink);
  } else if (work >= ADD) {
    scheduleIn(world, state, at, cpu);
  } else {
    scheduleOut(world, state, at, cpu, sink);
  }
}

function nextWork(world: World, state: MachineState, cpu: LogicalCpu): number {
  switch (cpu.operation) {
    case ENABLE_EVENT:
    case RESUME_EVENT:
      return nextOfReschedule(world, state, cpu, classesRescheduled(world, state, cpu.target));
    case SCHED_IN:
      return nextOfReschedule(
        world,
        state,
        cpu,
        hasThreadEvents(world, state, cpu.target) ? TASK | FLEXIBLE : TASK,
      );
    case DISABLE_EVENT:
    case PAUSE_EVENT:
      return nextOfDisable(world, state, cpu);
    case CLOSE_EVENT:
      return isScheduled(state.events[cpu.target]!, cpu) ? cpu.target | REMOVE : NO_WORK;
    case SCHED_OUT:
      return nextOfSchedOut(world, state, cpu);
    case TICK:
      return nextOfTick(world, state, cpu) === NO_EVENT ? NO_WORK : TICKED;
    default:
      return NO_WORK;
  }
}

/** Which classes `ctx_resched` takes out and in again for an event: its own, and flexible ones below a pinned one. */
function classesRescheduled(world: World, state: MachineState, at: number): number {
  const leader = leaderOf(world, state.events, at);
  switch (classOf(state.events[leader]!, world.eventConfigs[leader]!)) {
    case PINNED:
      return PINNED | TASK | FLEXIBLE;
    case TASK:
      return TASK | FLEXIBLE;
    default:
      return FLEXIBLE;
  }
}

/** Out first, the thread's events before the host's; then in, the host's pinned ones first. */
function nextOfReschedule(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  classes: number,
): number {
  const { events } = state;
  let out = NO_EVENT;
  let outPlace = 0;
  let next = NO_EVENT;
  let nextPlace = 0;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    const waits = event.status === INACTIVE;
    if (
      (!waits && (cpu.cursor !== 0 || !isRunning(event, cpu))) ||
      !belongsTo(world, state, at, cpu)
    ) {
      continue;
    }
    const config = world.eventConfigs[at]!;
    const place = placeOf(world, state, at);
    if (waits) {
      if (
        place >= cpu.cursor &&
        (next === NO_EVENT || place < nextPlace) &&
        (isLeader(event, config) || isScheduled(events[config.leader]!, cpu))
      ) {
        next = at;
        nextPlace = place;
      }
      continue;
    }
    const type = classOf(event, config);
    const order = type === TASK ? place - placesOf(state) : place;
    if (classes & type && (out === NO_EVENT || order < outPlace)) {
      out = at;
      outPlace = order;
    }
  }
  if (out !== NO_EVENT) {
    return out | REMOVE;
  }
  return next === NO_EVENT ? NO_WORK : next | ADD;
}

/** Whether an event has been on its counter since before the operation. */
function isRunning(event: PerfEvent, cpu: LogicalCpu): boolean {
  return (event.status === ACTIVE || event.status === STOPPED) && event.cpu === cpu.index;
}

/** The thread's events leave in their order. */
function nextOfSchedOut(world: World, state: MachineState, cpu: LogicalCpu): number {
  let out = NO_EVENT;
  let outPlace = 0;
  for (let at = 0; at < state.events.length; at += 1) {
    const isOn =
      world.eventConfigs[at]!.owner === cpu.target &&
      belongsTo(world, state, at, cpu) &&
      isScheduled(state.events[at]!, cpu);
    const place = isOn ? placeOf(world, state, at) : 0;
    if (isOn && (out === NO_EVENT || place < outPlace)) {
      out = at;
      outPlace = place;
    }
  }
  return out === NO_EVENT ? NO_WORK : out | REMOVE;
}

/** Disabling a leader takes its whole group out, the leader first. */
function nextOfDisable(world: World, state: MachineState, cpu: LogicalCpu): number {
  const { events } = state;
  const at = cpu.target;
  if (isScheduled(events[at]!, cpu)) {
    return at | REMOVE;
  }
  if (!isLeader(events[at]!, world.eventConfigs[at]!)) {
    return NO_WORK;
  }
  for (let rank = 0; rank < events.length; rank += 1) {
    const sibling = siblingOfRank(world, events, at, rank);
    if (sibling !== NO_EVENT && isScheduled(events[sibling]!, cpu)) {
      return sibling | REMOVE;
    }
  }
  return NO_WORK;
}

function scheduleOut(
  world: World,
  state: MachineState,
  at: number,
  cpu: LogicalCpu,
  sink: WriteSink,
): void {
  const goesOff =
    cpu.operation === DISABLE_EVENT ||
    cpu.operation === PAUSE_EVENT ||
    cpu.operation === CLOSE_EVENT;
  const status = goesOff && at === cpu.target ? OFF : INACTIVE;
  removeEvent(world, state.events, at, cpu, status, sink);
}

/** A pinned event that finds no counter goes to the error state; a flexible one, or a member of a group, waits. */
function scheduleIn(world: World, state: MachineState, at: number, cpu: LogicalCpu): void {
  const { events } = state;
  cpu.cursor = placeOf(world, state, at) + 1;
  if (addEvent(world, events, at, cpu)) {
    return;
  }
  const leader = leaderOf(world, events, at);
  for (let member = 0; member < events.length; member += 1) {
    // Nothing of the group has been started yet, so taking it back writes nothing.
    if (leaderOf(world, events, member) === leader && isScheduled(events[member]!, cpu)) {
      events[member]!.status = INACTIVE;
      events[member]!.position = NO_COUNTER;
      events[member]!.assigned = NO_COUNTER;
    }
  }
  if (classOf(events[leader]!, world.eventConfigs[leader]!) !== FLEXIBLE) {
    events[leader]!.status = ERROR;
  }
}

function hasThreadEvents(world: World, state: MachineState, vcpu: number): boolean {
  return state.events.some(
    (event, at) => world.eventConfigs[at]!.owner === vcpu && event.status !== CLOSED,
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

/** Whether enabling an event runs a section: not below a group leader that is not on. */
export function enablingReschedules(world: World, state: MachineState, at: number): boolean {
  const leader = leaderOf(world, state.events, at);
  return leader === at || state.events[leader]!.status >= ADDED;
}

/** Whether an event is the only open one of its CPU's context; its opening runs a section even if it stays off. */
export function isFirstOfContext(world: World, state: MachineState, at: number): boolean {
  const { cpu } = world.eventConfigs[at]!;
  return state.events.every(
    (event, other) =>
      other === at ||
      event.status === CLOSED ||
      world.eventConfigs[other]!.owner !== HOST_OWNED ||
      world.eventConfigs[other]!.cpu !== cpu,
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
  event.counter = NO_COUNTER;
  event.tag = NO_TAG;
  event.detached = 0;
  rankNew(world, state, at);
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

/** The event is gone: closes it, once it holds no counter. */
export function closeIdleEvent(world: World, state: MachineState, at: number): void {
  const event = state.events[at]!;
  event.status = CLOSED;
  event.counter = NO_COUNTER;
  event.tag = NO_TAG;
  event.detached = 0;
  event.mark = 0;
  event.stray = 0;
  detachSiblings(world, state, at);
  releaseIfLast(state);
}

/**
 * The last event's release forgets the DS areas. IA32_DS_AREA keeps its old value: the routine that would clear it
 * returns early once `ds` is NULL.
 */
function releaseIfLast(state: MachineState): void {
  if (state.events.every((event) => event.status === CLOSED)) {
    for (const cpu of state.cpus) {
      cpu.cpuc.ds = 0;
    }
  }
}
