/**
 * Giving events counters and taking them back: `x86_pmu_add`, `x86_pmu_del`, `x86_schedule_events`.
 *
 * Models: Linux arch/x86/events/core.c; semantics sheet §3.2. Events keep their counters while everybody fits;
 * otherwise all are placed anew, fewest choices first, fixed counters before general-purpose ones, lowest first,
 * and an event may have to move at the next PMU enable.
 * Leaves out: overlapping-constraint backtracking, multiplexing.
 */
import { type CounterSet, countBits, FIXED, lowestBit } from '../arch/counter-set.js';
import type { WriteSink } from '../arch/write-sink.js';
import { narrowDataCfg } from './data-cfg.js';
import {
  ACTIVE,
  ADDED,
  CLOSED,
  constraintOf,
  ERROR,
  INACTIVE,
  isScheduled,
  NO_COUNTER,
  NO_EVENT,
  type PerfCpu,
  type PerfEvent,
  type PerfWorld,
  THROTTLED,
} from './perf-event.js';
import { startEvent, stopEvent } from './start-stop.js';

/** Puts an inactive event on a counter, or into the error state where none is left. */
export function addEvent(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
): void {
  const event = events[at]!;
  event.cpu = cpu.index;
  if (!assignCounters(world, events, at, cpu)) {
    event.status = ERROR;
    return;
  }
  event.status = ADDED;
  if (event.preciseIp > 0 && world.caps.pebsBaseline) {
    const { cpuc } = cpu;
    // The first PEBS event starts the record layout afresh; later ones only widen it (pebs_update_state).
    cpuc.pebsDataCfg = isOnlyPebsEvent(events, at, cpu)
      ? event.dataCfg
      : cpuc.pebsDataCfg | event.dataCfg;
  }
}

/** Takes an event off its counter. A throttled one is already stopped, so no register is touched. */
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
  event.counter = NO_COUNTER;
  event.assigned = NO_COUNTER;
  if (event.preciseIp > 0) {
    narrowDataCfg(world, events, cpu);
  }
}

/** Row e1, one event at a time: stops an event that must move, else starts one that was added. False when none is left. */
export function placeNextEvent(
  world: PerfWorld,
  events: readonly PerfEvent[],
  cpu: PerfCpu,
  sink: WriteSink,
): boolean {
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (event.status === ACTIVE && event.cpu === cpu.index && event.assigned !== event.counter) {
      stopEvent(world, events, at, cpu, ADDED, sink);
      return true;
    }
  }
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (event.status === ADDED && event.cpu === cpu.index) {
      startEvent(world, events, at, cpu, sink);
      return true;
    }
  }
  return false;
}

/** Whether row e1 has work: perf's `n_added`, read off the events. */
export function hasAddedEvents(events: readonly PerfEvent[], cpu: PerfCpu): boolean {
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (
      event.cpu === cpu.index &&
      (event.status === ADDED || (event.status === ACTIVE && event.assigned !== event.counter))
    ) {
      return true;
    }
  }
  return false;
}

/** The next inactive event that may be scheduled on this CPU for this owner, or NO_EVENT. */
export function nextToAdd(
  world: PerfWorld,
  events: readonly PerfEvent[],
  cpu: PerfCpu,
  owner: number,
): number {
  for (let at = 0; at < events.length; at += 1) {
    const config = world.eventConfigs[at]!;
    if (
      events[at]!.status !== INACTIVE ||
      config.owner !== owner ||
      (owner < 0 && config.cpu !== cpu.index)
    ) {
      continue;
    }
    const leader = config.leader === NO_EVENT ? undefined : events[config.leader];
    if (leader === undefined || leader.status >= ADDED || leader.status === CLOSED) {
      return at;
    }
  }
  return NO_EVENT;
}

/** The members of an event's group that hold counters, the event itself first; NO_EVENT when none is left. */
export function nextOfGroup(
  world: PerfWorld,
  events: readonly PerfEvent[],
  of: number,
  cpu: PerfCpu,
): number {
  if (isScheduled(events[of]!, cpu)) {
    return of;
  }
  for (let at = 0; at < events.length; at += 1) {
    if (world.eventConfigs[at]!.leader === of && isScheduled(events[at]!, cpu)) {
      return at;
    }
  }
  return NO_EVENT;
}

function isOnlyPebsEvent(events: readonly PerfEvent[], at: number, cpu: PerfCpu): boolean {
  for (let other = 0; other < events.length; other += 1) {
    if (other !== at && events[other]!.preciseIp > 0 && isScheduled(events[other]!, cpu)) {
      return false;
    }
  }
  return true;
}

/** Sets `assigned` of the new event and, if all must be placed anew, of the others; false where they do not fit. */
function assignCounters(
  world: PerfWorld,
  events: readonly PerfEvent[],
  added: number,
  cpu: PerfCpu,
): boolean {
  let used: CounterSet = 0;
  for (let at = 0; at < events.length; at += 1) {
    if (isScheduled(events[at]!, cpu)) {
      used |= 1 << events[at]!.assigned;
    }
  }
  const free = constraintOf(events[added]!, world.eventConfigs[added]!) & ~used;
  if (free !== 0) {
    events[added]!.assigned = preferred(free);
    return true;
  }
  const members = [added];
  for (let at = 0; at < events.length; at += 1) {
    if (isScheduled(events[at]!, cpu)) {
      members.push(at);
    }
  }
  const counters = solve(members.map((at) => constraintOf(events[at]!, world.eventConfigs[at]!)));
  if (counters === null) {
    return false;
  }
  members.forEach((at, place) => {
    const event = events[at]!;
    event.assigned = counters[place]!;
    if (event.status === THROTTLED || event.status === ADDED) {
      event.counter = event.assigned;
    }
  });
  return true;
}

/** Places constraints on distinct counters, fewest choices first; null where the greedy order finds no place. */
function solve(constraints: readonly CounterSet[]): number[] | null {
  const order = constraints.map((_, place) => place);
  order.sort((a, b) => countBits(constraints[a]!) - countBits(constraints[b]!) || a - b);
  const counters = new Array<number>(constraints.length).fill(NO_COUNTER);
  let used: CounterSet = 0;
  for (const place of order) {
    const free = constraints[place]! & ~used;
    if (free === 0) {
      return null;
    }
    counters[place] = preferred(free);
    used |= 1 << counters[place]!;
  }
  return counters;
}

/** Fixed counters first, then the lowest (`perf_sched_find_counter`). */
function preferred(free: CounterSet): number {
  return lowestBit(free & FIXED ? free & FIXED : free);
}
