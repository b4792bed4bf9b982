import type { WriteSink } from '../arch/write-sink.js';
import {
  ACTIVE,
  ADDED,
  CLOSED,
  ERROR,
  INACTIVE,
  isLeader,
  isScheduled,
  NO_COUNTER,
  NO_EVENT,
  OFF,
  type PerfEvent,
  STOPPED,
} from '../perf/perf-event.js';
import { leaderOf, siblingOfRank } from '../perf/pmi.js';
import { addEvent, removeEvent } from '../perf/schedule.js';
import { belongsTo, classOf, FLEXIBLE, PINNED, placeOf, placesOf, TASK } from './event-order.js';
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

/** The event that the operation takes out, puts in, or restarts next; NO_EVENT where it has none left. A tick names none. */
export function pendingEvent(world: World, state: MachineState, cpu: LogicalCpu): number {
  const work = nextWork(world, state, cpu);
  return work === NO_WORK ? NO_EVENT : work & 0xff;
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
