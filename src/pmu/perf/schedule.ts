/**
 * Giving events counters and taking them back: `x86_pmu_add`, `x86_pmu_del`, `x86_schedule_events`, and rows e1 of
 * `x86_pmu_enable`.
 *
 * Models: Linux arch/x86/events/core.c; semantics.md §3.2. `cpuc->event_list` is kept as the events' own
 * `position`. Where every event in it can keep the counter it had last, it does; otherwise all are placed anew, fewest
 * choices first, fixed counters before general-purpose ones, lowest first, and a running event may have to move.
 * Leaves out: overlapping-constraint backtracking, multiplexing.
 */
import { type CounterSet, countBits, FIXED, lowestBit } from '../arch/counter-set.js';
import type { WriteSink } from '../arch/write-sink.js';
import { TAGS } from './cpu-hw-events.js';
import { narrowDataCfg } from './data-cfg.js';
import {
  ACTIVE,
  ADDED,
  constraintOf,
  isScheduled,
  NO_COUNTER,
  NO_EVENT,
  NOT_LISTED,
  type PerfCpu,
  type PerfEvent,
  type PerfWorld,
  STOPPED,
} from './perf-event.js';
import { startEvent, stopEvent } from './start-stop.js';

/** `event_list` while something is asked of it: event indices by position. */
const list = new Int32Array(128);

/** Reads `cpuc->event_list` into `list` and returns its length. */
function readList(events: readonly PerfEvent[], cpu: PerfCpu): number {
  let length = 0;
  for (let at = 0; at < events.length; at += 1) {
    if (isScheduled(events[at]!, cpu)) {
      list[events[at]!.position] = at;
      length += 1;
    }
  }
  return length;
}

/**
 * Puts an inactive event on the list, to be started by the next PMU enable; false, and nothing changed, where perf finds
 * no counters for all of the list.
 */
export function addEvent(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
): boolean {
  const event = events[at]!;
  const length = readList(events, cpu);
  list[length] = at;
  if (!scheduleEvents(world, events, length + 1)) {
    return false;
  }
  if (event.preciseIp > 0 && world.caps.pebsBaseline) {
    const { cpuc } = cpu;
    // The first PEBS event starts the record layout afresh; later ones only widen it (pebs_update_state).
    cpuc.pebsDataCfg = hasPebsEvent(events, cpu) ? cpuc.pebsDataCfg | event.dataCfg : event.dataCfg;
  }
  event.cpu = cpu.index;
  event.status = ADDED;
  event.mark = 0;
  event.stray = 0;
  event.position = length;
  return true;
}

/** Takes an event off the list. A stopped one touches no register. */
export function removeEvent(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  status: number,
  sink: WriteSink,
): void {
  stopEvent(world, events, at, cpu, status, sink);
  const event = events[at]!;
  for (let other = 0; other < events.length; other += 1) {
    if (isScheduled(events[other]!, cpu) && events[other]!.position > event.position) {
      events[other]!.position -= 1;
    }
  }
  event.position = NOT_LISTED;
  event.assigned = NO_COUNTER;
  event.mark = 0;
  event.unseen = 0;
  if (event.preciseIp > 0) {
    narrowDataCfg(world, events, cpu);
  }
}

/** Whether an event must be given its counter anew: `!match_prev_assignment()`. */
function mustMove(event: PerfEvent, cpu: PerfCpu): boolean {
  return event.counter !== event.assigned || event.tag !== tagOf(event.position, cpu);
}

function tagOf(position: number, cpu: PerfCpu): number {
  return cpu.cpuc.tags[position]! + TAGS * cpu.index;
}

/** Row e1, first half: the next running event that must move, or NO_EVENT. */
export function nextToStop(events: readonly PerfEvent[], cpu: PerfCpu): number {
  if (!hasAddedEvents(events, cpu)) {
    return NO_EVENT;
  }
  const length = readList(events, cpu);
  for (let position = 0; position < length; position += 1) {
    const event = events[list[position]!]!;
    if (event.status === ACTIVE && mustMove(event, cpu)) {
      return list[position]!;
    }
  }
  return NO_EVENT;
}

/** Stops a running event that must move; row e1 starts it again. */
export function stopMoving(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  sink: WriteSink,
): void {
  stopEvent(world, events, at, cpu, ADDED, sink);
}

/** The event that row e1 starts next; there is one. */
export function nextToStart(events: readonly PerfEvent[], cpu: PerfCpu): number {
  let next = NO_EVENT;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    const isAdded = event.status === ADDED && event.cpu === cpu.index;
    if (isAdded && (next === NO_EVENT || event.position < events[next]!.position)) {
      next = at;
    }
  }
  return next;
}

/** Row e1, second half: gives the next added event its counter and starts it. */
export function startNext(
  world: PerfWorld,
  events: readonly PerfEvent[],
  cpu: PerfCpu,
  sink: WriteSink,
): void {
  const length = readList(events, cpu);
  for (let position = 0; position < length; position += 1) {
    const event = events[list[position]!]!;
    if (event.status === ADDED || event.status === STOPPED) {
      if (mustMove(event, cpu)) {
        assign(event, cpu);
        event.unseen = world.perfOptions.losesMovedEvents && event.status === STOPPED ? 1 : 0;
      }
      if (event.status === ADDED) {
        event.unseen = 0;
        startEvent(world, events, list[position]!, cpu, sink);
        return;
      }
    }
  }
}

/** `x86_assign_hw_event`. */
function assign(event: PerfEvent, cpu: PerfCpu): void {
  const { tags } = cpu.cpuc;
  tags[event.position] = (tags[event.position]! + 1) % TAGS;
  event.counter = event.assigned;
  event.tag = tagOf(event.position, cpu);
}

/** Whether row e1 has work: perf's `n_added`, read off the events. */
export function hasAddedEvents(events: readonly PerfEvent[], cpu: PerfCpu): boolean {
  for (let at = 0; at < events.length; at += 1) {
    if (events[at]!.status === ADDED && events[at]!.cpu === cpu.index) {
      return true;
    }
  }
  return false;
}

function hasPebsEvent(events: readonly PerfEvent[], cpu: PerfCpu): boolean {
  for (let at = 0; at < events.length; at += 1) {
    if (events[at]!.preciseIp > 0 && isScheduled(events[at]!, cpu)) {
      return true;
    }
  }
  return false;
}

/** Sets `assigned` of the first `length` events of `list`; false, and nothing changed, where they do not fit. */
function scheduleEvents(world: PerfWorld, events: readonly PerfEvent[], length: number): boolean {
  return keepCounters(world, events, length) || placeAnew(world, events, length);
}

/** The fast path of `x86_schedule_events`: every event keeps the counter it had last. */
function keepCounters(world: PerfWorld, events: readonly PerfEvent[], length: number): boolean {
  let used: CounterSet = 0;
  for (let position = 0; position < length; position += 1) {
    const at = list[position]!;
    const event = events[at]!;
    const counter = event.counter === NO_COUNTER ? 0 : 1 << event.counter;
    if ((counter & constraintOf(event, world.eventConfigs[at]!) & ~used) === 0) {
      return false;
    }
    used |= counter;
  }
  for (let position = 0; position < length; position += 1) {
    const event = events[list[position]!]!;
    event.assigned = event.counter;
  }
  return true;
}

const placed = new Int32Array(128);

/** `perf_assign_events`: by number of choices, then in list order. */
function placeAnew(world: PerfWorld, events: readonly PerfEvent[], length: number): boolean {
  let used: CounterSet = 0;
  for (let weight = 1; weight <= 32; weight += 1) {
    for (let position = 0; position < length; position += 1) {
      const at = list[position]!;
      const constraint = constraintOf(events[at]!, world.eventConfigs[at]!);
      if (countBits(constraint) !== weight) {
        continue;
      }
      const free = constraint & ~used;
      if (free === 0) {
        return false;
      }
      placed[position] = lowestBit(free & FIXED ? free & FIXED : free);
      used |= 1 << placed[position]!;
    }
  }
  for (let position = 0; position < length; position += 1) {
    events[list[position]!]!.assigned = placed[position]!;
  }
  return true;
}
