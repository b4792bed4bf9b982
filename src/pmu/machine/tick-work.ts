/**
 * The timer tick's work on events: unthrottling, and the frequency adjustment that stops and starts every event in
 * frequency mode.
 *
 * Models: `perf_event_task_tick`, `perf_adjust_freq_unthr_events`, `perf_event_unthrottle_group` (Linux
 * kernel/events/core.c); semantics.md §3.4, §3.7. Linux goes through its list once, so an event that an NMI
 * throttles again behind the tick's back stays off until the next one. The clock stands still: no period changes.
 *
 * Where the tick is in the list is the CPU's `cursor`: each event has two stops, its restart at 2 × place and its
 * adjustment after that of its whole group, at 2 × place of the group's last member + 1.
 */
import type { WriteSink } from '../arch/write-sink.js';
import {
  ADDED,
  CLOSED,
  isLeader,
  isScheduled,
  NO_COUNTER,
  NO_EVENT,
  type PerfEvent,
  STOPPED,
} from '../perf/perf-event.js';
import { leaderOf } from '../perf/pmi.js';
import { startCounter, startEvent, stopEvent } from '../perf/start-stop.js';
import { belongsTo, classOf, placeOf, placesOf, TASK } from './event-order.js';
import type { LogicalCpu, MachineState } from './state.js';
import type { World } from './world.js';

/** The sections of a tick: one for the CPU's own events, one for those of the thread it runs. */
export const CPU_CONTEXT = 1;
export const TASK_CONTEXT = 2;

/** Which sections a tick runs now. */
export function sectionsOfTick(world: World, state: MachineState, cpu: LogicalCpu): number {
  let sections = 0;
  for (let at = 0; at < state.events.length; at += 1) {
    const concerns = cpu.cpuc.throttled !== 0 || world.eventConfigs[at]!.freq;
    if (concerns && belongsTo(world, state, at, cpu) && isScheduled(state.events[at]!, cpu)) {
      sections |= contextOf(world, state, at);
    }
  }
  return sections;
}

/** Whether a tick changes anything: it runs a section, or at least forgets that something was throttled. */
export function tickHasWork(world: World, state: MachineState, cpu: LogicalCpu): boolean {
  return cpu.cpuc.throttled !== 0 || sectionsOfTick(world, state, cpu) !== 0;
}

function contextOf(world: World, state: MachineState, at: number): number {
  return classOf(state.events[at]!, world.eventConfigs[at]!) === TASK ? TASK_CONTEXT : CPU_CONTEXT;
}

// What the tick does next, found by nextOfTick.
let nextStop = 0;
let restarts = false;

/** The event the tick deals with next in the section it is in, or NO_EVENT. */
export function nextOfTick(world: World, state: MachineState, cpu: LogicalCpu): number {
  const section = cpu.target & -cpu.target;
  let found = NO_EVENT;
  for (let at = 0; at < state.events.length; at += 1) {
    const here = belongsTo(world, state, at, cpu) && contextOf(world, state, at) === section;
    if (!here || !(isScheduled(state.events[at]!, cpu) || isIdleMember(world, state, at))) {
      continue;
    }
    const place = 2 * tickPlaceOf(world, state, at);
    if (place >= cpu.cursor && isRestarted(world, state, at, cpu)) {
      found = earlier(found, at, place, true);
    }
    const last = 2 * lastPlaceOfGroup(world, state, at) + 1;
    if (last >= cpu.cursor && isAdjusted(world, state, at)) {
      found = earlier(found, at, last, false);
    }
  }
  return found;
}

function earlier(found: number, at: number, stop: number, restart: boolean): number {
  if (found !== NO_EVENT && nextStop < stop) {
    return found;
  }
  nextStop = stop;
  restarts = restart;
  return at;
}

/** Whether what comes next starts an event that the tick found throttled; otherwise it only adjusts a running one. */
export function tickRestartsNext(world: World, state: MachineState, cpu: LogicalCpu): boolean {
  const { status } = state.events[nextOfTick(world, state, cpu)]!;
  // Linux 6.1 has started the event already, at the stop before this one.
  return (
    status === STOPPED ||
    status < ADDED ||
    (world.perfOptions.tickVisitsSiblings && cpu.cursor === nextStop)
  );
}

/** Does what comes next, and moves the cursor behind it. */
export function tickEvent(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  sink: WriteSink,
): void {
  const { events } = state;
  const at = nextOfTick(world, state, cpu);
  const event = events[at]!;
  cpu.cursor = nextStop + 1;
  if (restarts) {
    event.mark = 0;
    if (event.status === STOPPED && startsAtOnce(world, state, at)) {
      startEvent(world, events, at, cpu, sink);
    } else if (event.status < ADDED && event.counter !== NO_COUNTER) {
      // Linux warns about an event that never was on a counter, and starts one that was.
      event.stray = 1;
      startCounter(world, events, at, cpu, sink);
    }
    return;
  }
  event.mark = 0;
  stopEvent(world, events, at, cpu, STOPPED, sink);
  startEvent(world, events, at, cpu, sink);
}

/** Whether throttling, and so the tick, takes a member of a group that holds no counter for one that does (6.16.0). */
function isIdleMember(world: World, state: MachineState, at: number): boolean {
  const event = state.events[at]!;
  return (
    world.perfOptions.throttlesIdleMembers &&
    event.mark !== 0 &&
    event.stray === 0 &&
    !isLeader(event, world.eventConfigs[at]!)
  );
}

/** Whether the tick restarts an event when it comes to it: it is marked, or the tick is restarting its group. */
function isRestarted(world: World, state: MachineState, at: number, cpu: LogicalCpu): boolean {
  const { perfOptions } = world;
  const event = state.events[at]!;
  if (isLeader(event, world.eventConfigs[at]!)) {
    return event.mark !== 0 && (startsAtOnce(world, state, at) || leadsOthers(world, state, at));
  }
  if (perfOptions.groupThrottle) {
    const leader = leaderOf(world, state.events, at);
    const underWay = cpu.cursor > 2 * placeOf(world, state, leader);
    return underWay && (event.mark !== 0 || event.status === STOPPED);
  }
  return perfOptions.tickVisitsSiblings && event.mark !== 0;
}

/** Whether the next tick starts a stopped event again, by itself or with its group. */
export function isRestartedByTick(world: World, events: readonly PerfEvent[], at: number): boolean {
  const config = world.eventConfigs[at]!;
  const { groupThrottle, tickVisitsSiblings } = world.perfOptions;
  const isVisited = tickVisitsSiblings || isLeader(events[at]!, config);
  return (
    (isVisited && (events[at]!.mark !== 0 || config.freq)) ||
    (groupThrottle && events[leaderOf(world, events, at)]!.mark !== 0)
  );
}

/** Since 6.2 a leader in frequency mode is not started here, since its adjustment starts it. */
function startsAtOnce(world: World, state: MachineState, at: number): boolean {
  const leads = isLeader(state.events[at]!, world.eventConfigs[at]!);
  return world.perfOptions.tickVisitsSiblings || !leads || !world.eventConfigs[at]!.freq;
}

/** Whether unthrottling an event unthrottles others with it. */
function leadsOthers(world: World, state: MachineState, at: number): boolean {
  return (
    world.perfOptions.groupThrottle &&
    state.events.some(
      (event, other) =>
        other !== at && event.status !== CLOSED && leaderOf(world, state.events, other) === at,
    )
  );
}

function isAdjusted(world: World, state: MachineState, at: number): boolean {
  const config = world.eventConfigs[at]!;
  return (
    config.freq && (world.perfOptions.tickVisitsSiblings || isLeader(state.events[at]!, config))
  );
}

/** Linux 6.1 goes through `event_list`, to whose head events are added: the newest comes first. */
function tickPlaceOf(world: World, state: MachineState, at: number): number {
  const place = placeOf(world, state, at);
  return world.perfOptions.tickVisitsSiblings ? placesOf(state) - 1 - place : place;
}

/** The place of the last member of an event's group, where the event's adjustment comes after the whole group. */
function lastPlaceOfGroup(world: World, state: MachineState, at: number): number {
  let last = tickPlaceOf(world, state, at);
  if (world.perfOptions.groupThrottle) {
    state.events.forEach((event, other) => {
      if (event.status !== CLOSED && leaderOf(world, state.events, other) === at) {
        last = Math.max(last, placeOf(world, state, other));
      }
    });
  }
  return last;
}
