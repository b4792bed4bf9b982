/**
 * The NMI handler: `intel_pmu_handle_irq` with the drain of the DS buffer and throttling.
 *
 * Models: Linux 6.12.117 arch/x86/events/intel/{core,ds}.c, since 6.16 also kernel/events/core.c for group
 * throttling; semantics.md §3.3 to §3.5. The handler is one indivisible micro-step: NMIs do not nest, and nothing
 * else on the CPU runs meanwhile. Its rows (n1, n3, n5, n7, n9) name its writes.
 * The caller says which counters overflowed and which events perf throttles; the sampling-rate arithmetic that
 * decides it in the kernel is not modelled, but what accounting does to an event's throttle mark is.
 * The caller also says whether the status never clears.
 * Leaves out: BTS, LBR, PT, metrics, freq-mode period changes.
 */
import { COUNTERS, type CounterSet, lowestBit } from '../arch/counter-set.js';
import { COUNTER, GLOBAL_STATUS_RESET, PERF_WRMSR } from '../arch/msr.js';
import { DS_BUFFER_OVERFLOW } from '../arch/selector.js';
import type { WriteSink } from '../arch/write-sink.js';
import { wrmsrPebsEnable } from './pebs-enable.js';
import {
  ACTIVE,
  CLOSED,
  counterSet,
  HOST_OWNED,
  isLeader,
  isScheduled,
  NO_EVENT,
  type PerfCpu,
  type PerfEvent,
  type PerfState,
  type PerfWorld,
  STOPPED,
} from './perf-event.js';
import { resetPmu } from './pmu-reset.js';
import { updateFixedCtrl, writeGlobalCtrl, writeGlobalCtrlZero } from './pmu-section.js';
import { stopCounter, stopEvent } from './start-stop.js';

/**
 * Latches the overflow of counters: a PEBS record for a counter that perf uses for PEBS or whose IA32_PEBS_ENABLE bit
 * is set by mistake, a status bit for any other.
 */
export function latchOverflow(cpu: PerfCpu, counters: CounterSet): void {
  const records = counters & (cpu.cpuc.pebsEnabled | cpu.hardware.pebsEnable);
  cpu.hardware.dsRecords |= records;
  cpu.hardware.status |= counters & ~records;
}

/**
 * Runs the handler. `throttle` are the counters whose events perf throttles if they overflowed; `inGuest` says that the
 * NMI was taken in the guest, so that a guest's own PEBS record sits in the guest's DS area; `resets`, that the status never
 * clears, so that the handler resets the PMU after 100 loops.
 * perf registers its handler with the first hardware event, so without any event nothing happens.
 */
export function handleNmi(
  world: PerfWorld,
  state: PerfState,
  cpu: PerfCpu,
  throttle: CounterSet,
  inGuest: boolean,
  sink: WriteSink,
  resets = false,
): void {
  if (!hasOpenEvent(state.events)) {
    return;
  }
  const { cpuc, hardware } = cpu;
  const wasEnabled = cpuc.enabled;
  cpuc.enabled = 0;
  writeGlobalCtrlZero(cpu, sink, 'n1');
  switchPebs(world, cpu, 0, sink, 'n1');
  const records = hardware.dsRecords;
  const status = hardware.status;
  if ((records | status) !== 0) {
    hardware.dsRecords = 0;
    hardware.status = 0;
    const acknowledged = status | (records === 0 ? 0 : DS_BUFFER_OVERFLOW);
    sink.write(GLOBAL_STATUS_RESET, PERF_WRMSR, acknowledged, 'n3');
    // n4: status bits of PEBS counters are ignored, they are served by the buffer alone.
    const plain = status & ~(cpuc.pebsEnabled & world.caps.pebsCapable);
    const before = cpuc.pebsEnabled;
    if (records !== 0) {
      drainRecords(world, state, cpu, records, throttle, inGuest, sink);
      writePebsIfChanged(world, cpu, before, wasEnabled, sink, 'n5');
    }
    const drained = cpuc.pebsEnabled;
    serveCounters(world, state, cpu, plain, throttle, sink);
    if (world.perfOptions.nmiComparesPebsLast) {
      writePebsIfChanged(world, cpu, drained, wasEnabled, sink, 'n7');
    }
  }
  if (resets) {
    resetPmu(world, cpu, sink);
  }
  cpuc.enabled = wasEnabled;
  if (wasEnabled) {
    switchPebs(world, cpu, cpuc.pebsEnabled, sink, 'n9');
    updateFixedCtrl(world, cpu, sink, 'n9');
    writeGlobalCtrl(world, cpu, sink, 'n9');
  }
  if (world.perfOptions.fixedCtrl === 'handler_clears') {
    cpuc.activeFixedCtrl = 0;
  }
}

/** IA32_PEBS_ENABLE := `pebs_enabled` where throttling has changed that. */
function writePebsIfChanged(
  world: PerfWorld,
  cpu: PerfCpu,
  before: CounterSet,
  wasEnabled: number,
  sink: WriteSink,
  row: string,
): void {
  const { nmiWritesPebsOnlyIfOn, nmiSwitchesPebs } = world.perfOptions;
  const { cpuc } = cpu;
  const mayWrite = (wasEnabled !== 0 || !nmiWritesPebsOnlyIfOn) && !nmiSwitchesPebs;
  if (cpuc.pebsEnabled !== before && world.caps.pebsEnableMsr && mayWrite) {
    wrmsrPebsEnable(world, cpu, cpuc.pebsEnabled, PERF_WRMSR, row, sink);
  }
}

/** Up to 5.6: PEBS goes off with the counters at n1 and comes back with them at n9, where perf wants any bit then. */
function switchPebs(
  world: PerfWorld,
  cpu: PerfCpu,
  value: CounterSet,
  sink: WriteSink,
  row: string,
): void {
  if (world.perfOptions.nmiSwitchesPebs && cpu.cpuc.pebsEnabled !== 0 && world.caps.pebsEnableMsr) {
    wrmsrPebsEnable(world, cpu, value, PERF_WRMSR, row, sink);
  }
}

/** A BPF program's branch snapshot, taken in NMI context whatever `enabled` says: all off, all on again. */
export function branchSnapshot(world: PerfWorld, cpu: PerfCpu, sink: WriteSink): void {
  const { cpuc } = cpu;
  writeGlobalCtrlZero(cpu, sink, 'snapshot');
  if (cpuc.pebsEnabled !== 0 && world.caps.pebsEnableMsr) {
    wrmsrPebsEnable(world, cpu, cpuc.pebsEnabled, PERF_WRMSR, 'snapshot', sink);
  }
  writeGlobalCtrl(world, cpu, sink, 'snapshot');
}

/** n5: every record of a counter that perf still wants goes to its event; the last one may throttle it. */
function drainRecords(
  world: PerfWorld,
  state: PerfState,
  cpu: PerfCpu,
  records: CounterSet,
  throttle: CounterSet,
  inGuest: boolean,
  sink: WriteSink,
): void {
  const { cpuc } = cpu;
  let rest = records & cpuc.pebsEnabled;
  if (inGuest && world.caps.pebsEpt) {
    // §3.5: a guest's record is in its own buffer, so whoever recorded, the first event that may be the guest's gets a
    // fake overflow.
    const candidates = cpuc.pebsEnabled & ~cpuc.intelCtrlHostMask & COUNTERS;
    rest = (rest & ~cpuc.intelCtrlGuestMask) | (candidates & -candidates);
  }
  while (rest !== 0) {
    const counter = rest & -rest;
    rest &= ~counter;
    const at = eventOn(state.events, cpu, counter);
    // Outside the guest perf looks at the host's buffer alone, and a guest's record is not in it: the guest misses its PMI.
    const isHere = at !== NO_EVENT && (inGuest || world.eventConfigs[at]!.owner === HOST_OWNED);
    if (isHere && state.events[at]!.unseen === 0) {
      overflow(world, state, at, cpu, (counter & throttle) !== 0, sink);
    }
  }
}

/** n7: counters whose status bit is set. */
function serveCounters(
  world: PerfWorld,
  state: PerfState,
  cpu: PerfCpu,
  counters: CounterSet,
  throttle: CounterSet,
  sink: WriteSink,
): void {
  let rest = counters & cpu.cpuc.activeMask;
  while (rest !== 0) {
    const counter = rest & -rest;
    const at = activeEventOn(state.events, cpu, counter);
    if (at !== NO_EVENT && state.events[at]!.unseen !== 0) {
      // No pointer in events[]: the handler goes on to the next counter, and nobody arms this one again.
      rest &= ~counter;
      continue;
    }
    sink.write(COUNTER + lowestBit(counter), PERF_WRMSR, 0, 'n7');
    if (at !== NO_EVENT && world.eventConfigs[at]!.sampling) {
      overflow(world, state, at, cpu, (counter & throttle) !== 0, sink);
    }
    // Throttling a group stops members whose status bit is still to come.
    rest &= ~counter & cpu.cpuc.activeMask;
  }
}

/** `perf_event_overflow`: accounts for it, then calls the event's handler, throttled or not. */
function overflow(
  world: PerfWorld,
  state: PerfState,
  at: number,
  cpu: PerfCpu,
  throttles: boolean,
  sink: WriteSink,
): void {
  account(world, state.events, at, cpu, throttles, sink);
  const { owner, guestCounter } = world.eventConfigs[at]!;
  if (owner !== HOST_OWNED) {
    state.vcpus[owner]!.overflowed(guestCounter, state.events[at]!.preciseIp > 0);
  }
}

/**
 * `__perf_event_account_interrupt`: one more interrupt of an event, which is throttled if the caller says so. An event
 * that bears the mark already counts on from it, and so loses it (semantics.md §7.6, H12).
 */
function account(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  throttles: boolean,
  sink: WriteSink,
): void {
  if (!throttles || events[at]!.status === STOPPED) {
    events[at]!.mark = 0;
    return;
  }
  sink.throttles += 1;
  cpu.cpuc.throttled = 1;
  if (!world.perfOptions.groupThrottle) {
    throttle(world, events, at, cpu, sink);
    return;
  }
  const leader = leaderOf(world, events, at);
  throttle(world, events, leader, cpu, sink);
  for (let rank = 0; rank < events.length; rank += 1) {
    const member = siblingOfRank(world, events, leader, rank);
    if (member !== NO_EVENT) {
      throttle(world, events, member, cpu, sink);
    }
  }
}

/** Marks an event and stops its counter, unless that is stopped already. */
function throttle(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  sink: WriteSink,
): void {
  const event = events[at]!;
  if (isScheduled(event, cpu)) {
    event.mark = 1;
    if (event.status === ACTIVE) {
      stopEvent(world, events, at, cpu, STOPPED, sink);
    }
  } else if (world.perfOptions.throttlesIdleMembers) {
    event.mark = 1;
    if (event.stray !== 0) {
      event.stray = 0;
      stopCounter(world, events, at, cpu, sink);
    }
  }
}

/** The event that leads an event's group; an event without group leads itself. */
export function leaderOf(world: PerfWorld, events: readonly PerfEvent[], at: number): number {
  const config = world.eventConfigs[at]!;
  return isLeader(events[at]!, config) ? at : config.leader;
}

/** The open sibling of a leader with a rank, or NO_EVENT. */
export function siblingOfRank(
  world: PerfWorld,
  events: readonly PerfEvent[],
  leader: number,
  rank: number,
): number {
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    const isSibling =
      world.eventConfigs[at]!.leader === leader && event.detached === 0 && event.status !== CLOSED;
    if (isSibling && event.rank === rank) {
      return at;
    }
  }
  return NO_EVENT;
}

/** The event that holds a counter of this CPU and has been on it, running or stopped, or NO_EVENT. */
function eventOn(events: readonly PerfEvent[], cpu: PerfCpu, counter: CounterSet): number {
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (event.status >= ACTIVE && event.cpu === cpu.index && counterSet(event) === counter) {
      return at;
    }
  }
  return NO_EVENT;
}

/** The active event on a counter of this CPU, or NO_EVENT. */
export function activeEventOn(
  events: readonly PerfEvent[],
  cpu: PerfCpu,
  counter: CounterSet,
): number {
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    if (event.status === ACTIVE && event.cpu === cpu.index && counterSet(event) === counter) {
      return at;
    }
  }
  return NO_EVENT;
}

function hasOpenEvent(events: readonly PerfEvent[]): boolean {
  for (let at = 0; at < events.length; at += 1) {
    if (events[at]!.status !== CLOSED) {
      return true;
    }
  }
  return false;
}
