/**
 * The NMI handler: `intel_pmu_handle_irq` with the drain of the DS buffer and throttling.
 *
 * Models: Linux 6.12.117 arch/x86/events/intel/{core,ds}.c, since 6.16 also kernel/events/core.c for group
 * throttling; semantics sheet §3.3–§3.5. The handler is one indivisible micro-step: NMIs do not nest, and nothing
 * else on the CPU runs meanwhile. Its rows (n1, n3, n5, n7, n9) name its writes.
 * The caller says which counters overflowed and which events perf throttles; the sampling-rate arithmetic that
 * decides it in the kernel is not modelled.
 * Leaves out: BTS, LBR, PT, metrics, the 100-loop reset, freq-mode period changes.
 */
import { COUNTERS, type CounterSet, lowestBit } from '../arch/counter-set.js';
import { COUNTER, GLOBAL_STATUS_RESET, PEBS_ENABLE, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import {
  ACTIVE,
  CLOSED,
  counterSet,
  NO_EVENT,
  type PerfCpu,
  type PerfEvent,
  type PerfWorld,
  THROTTLED,
} from './perf-event.js';
import { writeFixedCtrl, writeGlobalCtrl, writeGlobalCtrlZero } from './pmu-section.js';
import { stopEvent } from './start-stop.js';

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
 * NMI was taken in the guest, so that a guest's own PEBS record sits in the guest's DS area.
 * perf registers its handler with the first hardware event, so without any event nothing happens.
 */
export function handleNmi(
  world: PerfWorld,
  events: readonly PerfEvent[],
  cpu: PerfCpu,
  throttle: CounterSet,
  inGuest: boolean,
  sink: WriteSink,
): void {
  if (!hasOpenEvent(events)) {
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
    sink.write(GLOBAL_STATUS_RESET, PERF_WRMSR, status, 'n3');
    if (records !== 0) {
      const before = cpuc.pebsEnabled;
      drainRecords(world, events, cpu, records, throttle, inGuest, sink);
      const { nmiWritesPebsOnlyIfOn, nmiSwitchesPebs } = world.perfOptions;
      const mayWrite = (wasEnabled || !nmiWritesPebsOnlyIfOn) && !nmiSwitchesPebs;
      if (cpuc.pebsEnabled !== before && world.caps.pebsEnableMsr && mayWrite) {
        hardware.pebsEnable = cpuc.pebsEnabled;
        sink.write(PEBS_ENABLE, PERF_WRMSR, cpuc.pebsEnabled, 'n5');
      }
    }
    // n4: status bits of PEBS counters are ignored, they are served by the buffer alone.
    const plain = status & cpuc.activeMask & ~(cpuc.pebsEnabled & world.caps.pebsCapable);
    serveCounters(world, events, cpu, plain, throttle, sink);
  }
  cpuc.enabled = wasEnabled;
  if (wasEnabled) {
    switchPebs(world, cpu, cpuc.pebsEnabled, sink, 'n9');
    writeFixedCtrl(cpu, sink, 'n9');
    writeGlobalCtrl(world, cpu, sink, 'n9');
  }
}

/** Up to 5.6: PEBS goes off with the counters at n1 and comes back with them at n9, where perf wants any bit then. */
function switchPebs(
  world: PerfWorld,
  { cpuc, hardware }: PerfCpu,
  value: CounterSet,
  sink: WriteSink,
  row: string,
): void {
  if (world.perfOptions.nmiSwitchesPebs && cpuc.pebsEnabled !== 0 && world.caps.pebsEnableMsr) {
    hardware.pebsEnable = value;
    sink.write(PEBS_ENABLE, PERF_WRMSR, value, row);
  }
}

/** A BPF program's branch snapshot, taken in NMI context whatever `enabled` says: all off, all on again. */
export function branchSnapshot(world: PerfWorld, cpu: PerfCpu, sink: WriteSink): void {
  const { cpuc, hardware } = cpu;
  writeGlobalCtrlZero(cpu, sink, 'snapshot');
  if (cpuc.pebsEnabled !== 0 && world.caps.pebsEnableMsr) {
    hardware.pebsEnable = cpuc.pebsEnabled;
    sink.write(PEBS_ENABLE, PERF_WRMSR, cpuc.pebsEnabled, 'snapshot');
  }
  writeGlobalCtrl(world, cpu, sink, 'snapshot');
}

/** n5: every record of a counter that perf still wants goes to its event; the last one may throttle it. */
function drainRecords(
  world: PerfWorld,
  events: readonly PerfEvent[],
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
    throttleIfAsked(world, events, cpu, counter, throttle, sink);
    rest &= ~counter & cpuc.pebsEnabled;
  }
}

/** n7: counters whose status bit is set. */
function serveCounters(
  world: PerfWorld,
  events: readonly PerfEvent[],
  cpu: PerfCpu,
  counters: CounterSet,
  throttle: CounterSet,
  sink: WriteSink,
): void {
  let rest = counters;
  while (rest !== 0) {
    const counter = rest & -rest;
    rest &= ~counter;
    sink.write(COUNTER + lowestBit(counter), PERF_WRMSR, 0, 'n7');
    throttleIfAsked(world, events, cpu, counter, throttle, sink);
    rest &= cpu.cpuc.activeMask;
  }
}

/** Stops the event on a counter, and since 6.16 its whole group, if the caller wants it throttled. */
function throttleIfAsked(
  world: PerfWorld,
  events: readonly PerfEvent[],
  cpu: PerfCpu,
  counter: CounterSet,
  throttle: CounterSet,
  sink: WriteSink,
): void {
  if ((counter & throttle) === 0) {
    return;
  }
  const at = activeEventOn(events, cpu, counter);
  if (at === NO_EVENT || !world.eventConfigs[at]!.sampling) {
    return;
  }
  sink.throttles += 1;
  if (!world.perfOptions.groupThrottle) {
    stopEvent(world, events, at, cpu, THROTTLED, sink);
    return;
  }
  const leader = world.eventConfigs[at]!.leader === NO_EVENT ? at : world.eventConfigs[at]!.leader;
  for (let member = 0; member < events.length; member += 1) {
    const inGroup = member === leader || world.eventConfigs[member]!.leader === leader;
    if (inGroup && events[member]!.status === ACTIVE && events[member]!.cpu === cpu.index) {
      stopEvent(world, events, member, cpu, THROTTLED, sink);
    }
  }
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
