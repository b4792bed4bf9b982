/**
 * The order in which perf goes through events: its groups trees and its lists of active events.
 *
 * Models: `perf_event_groups`, `pinned_active`, `flexible_active` (Linux kernel/events/core.c); semantics.md §3.2, §3.7.
 * A CPU has three classes of events, each ordered by rank: the host's pinned ones, those of the current vCPU thread
 * (pinned, in the task's context), and the host's flexible ones, which are former siblings of closed group leaders.
 * Linux 6.1's tick goes through `event_list`, in which members of a group may stand apart; that difference is left out.
 */
import {
  CLOSED,
  HOST_OWNED,
  NO_EVENT,
  type PerfEvent,
  type PerfEventConfig,
} from '../perf/perf-event.js';
import { leaderOf } from '../perf/pmi.js';
import { type LogicalCpu, type MachineState, SCHED_IN } from './state.js';
import type { World } from './world.js';

export const PINNED = 1;
export const TASK = 2;
export const FLEXIBLE = 4;

/** The class of an event, as one of the bits above. */
export function classOf(event: PerfEvent, config: PerfEventConfig): number {
  if (config.owner !== HOST_OWNED) {
    return TASK;
  }
  return event.detached === 0 ? PINNED : FLEXIBLE;
}

/** Where an event stands among all events of its CPU, as a number that grows in the order in which they are scheduled in. */
export function placeOf(world: World, state: MachineState, at: number): number {
  const event = state.events[at]!;
  const type = classOf(event, world.eventConfigs[at]!);
  return (type >> 1) * state.events.length + event.rank;
}

/** One more than the largest place. */
export function placesOf(state: MachineState): number {
  return 3 * state.events.length;
}

/** Whether an event belongs to a context that this CPU schedules: its own, or that of the thread it runs. */
export function belongsTo(world: World, state: MachineState, at: number, cpu: LogicalCpu): boolean {
  const config = world.eventConfigs[at]!;
  if (state.events[at]!.status === CLOSED) {
    return false;
  }
  if (config.owner === HOST_OWNED) {
    return config.cpu === cpu.index;
  }
  return config.owner === (cpu.operation === SCHED_IN ? cpu.target : cpu.currentVcpu);
}

/** Whether two events are in one context: that of a CPU, or that of a vCPU's thread. */
function inOneContext(world: World, at: number, other: number): boolean {
  const [one, two] = [world.eventConfigs[at]!, world.eventConfigs[other]!];
  return one.owner === two.owner && (one.owner !== HOST_OWNED || one.cpu === two.cpu);
}

/** Gives a newly opened event its rank: after its group, or after all others. */
export function rankNew(world: World, state: MachineState, at: number): void {
  const { events } = state;
  let rank = 0;
  const leader = leaderOf(world, events, at);
  for (let other = 0; other < events.length; other += 1) {
    const inGroup = leaderOf(world, events, other) === leader;
    const isBefore = inOneContext(world, at, other) && (leader === at || inGroup);
    if (other !== at && events[other]!.status !== CLOSED && isBefore) {
      rank = Math.max(rank, events[other]!.rank + 1);
    }
  }
  for (let other = 0; other < events.length; other += 1) {
    const isAfter = inOneContext(world, at, other) && events[other]!.rank >= rank;
    if (other !== at && events[other]!.status !== CLOSED && isAfter) {
      events[other]!.rank += 1;
    }
  }
  events[at]!.rank = rank;
  closeRanks(world, events);
}

/** `perf_group_detach`: the siblings of a closed leader go on by themselves, after everybody else. */
export function detachSiblings(world: World, state: MachineState, leader: number): void {
  const { events } = state;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (
      world.eventConfigs[at]!.leader === leader &&
      event.detached === 0 &&
      event.status !== CLOSED
    ) {
      event.detached = 1;
      event.rank += events.length;
    }
  }
  closeRanks(world, events);
}

/**
 * Numbers the open events of each context from 0 on, in the order they have: another CPU may be in the middle of its own
 * events, and must find those where they were.
 */
function closeRanks(world: World, events: readonly PerfEvent[]): void {
  for (let first = 0; first < events.length; first += 1) {
    let rank = 0;
    for (let at = nextOfContext(world, events, first, rank); at !== NO_EVENT; ) {
      events[at]!.rank = rank;
      rank += 1;
      at = nextOfContext(world, events, first, rank);
    }
  }
  for (const event of events) {
    if (event.status === CLOSED) {
      event.rank = 0;
    }
  }
}

/** The open event with the lowest rank from `rank` on in the context of an event, or NO_EVENT. */
function nextOfContext(
  world: World,
  events: readonly PerfEvent[],
  of: number,
  rank: number,
): number {
  let next = NO_EVENT;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    const isNext = next === NO_EVENT || event.rank < events[next]!.rank;
    if (event.status !== CLOSED && event.rank >= rank && isNext && inOneContext(world, of, at)) {
      next = at;
    }
  }
  return next;
}
