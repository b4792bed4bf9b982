/**
 * Starting and stopping one event: `x86_pmu_start`/`x86_pmu_stop` with `intel_pmu_enable_event`,
 * `intel_pmu_disable_event`, `intel_pmu_pebs_enable` and `intel_pmu_pebs_disable`.
 *
 * Models: semantics.md §3.2 (Linux 6.12.117 arch/x86/events/core.c, intel/core.c, intel/ds.c). Starting never writes
 * IA32_PEBS_ENABLE; stopping writes it only while the PMU is on.
 * An event on a pseudo counter has neither a counter nor a selector.
 * Leaves out: load-latency and precise-store bits, the drain of large PEBS before a stop, arch-PEBS CFG_C.
 */
import {
  FIXED,
  GENERAL_PURPOSE,
  PEBS_OUTPUT_PT,
  PEBS_PMI_AFTER_EACH_RECORD,
  PEBS_VIA_PT,
  PSEUDO_COUNTERS,
} from '../arch/counter-set.js';
import { disableFixed, enableFixed } from '../arch/fixed-ctrl.js';
import { COUNTER, EVENTSEL, PERF_WRMSR } from '../arch/msr.js';
import { selector } from '../arch/selector.js';
import type { WriteSink } from '../arch/write-sink.js';
import { writeDataCfg } from './data-cfg.js';
import { wrmsrPebsEnable } from './pebs-enable.js';
import {
  ACTIVE,
  counterSet,
  type PerfCpu,
  type PerfEvent,
  type PerfWorld,
  pebsBits,
} from './perf-event.js';

/** Starts an event on its counter. */
export function startEvent(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  sink: WriteSink,
): void {
  events[at]!.status = ACTIVE;
  startCounter(world, events, at, cpu, sink);
}

/** What starting does to the counter of an event, whatever perf takes the event to be. */
export function startCounter(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  sink: WriteSink,
): void {
  const event = events[at]!;
  const config = world.eventConfigs[at]!;
  const { cpuc, hardware } = cpu;
  const counter = counterSet(event);
  const pebs = event.preciseIp > 0;
  const adaptive = world.caps.pebsBaseline;
  if ((counter & PSEUDO_COUNTERS) === 0) {
    sink.write(COUNTER + event.counter, PERF_WRMSR, 0, 'start');
  }
  cpuc.activeMask |= counter;
  if (pebs) {
    const viaPt = PEBS_OUTPUT_PT | (config.largePebs ? 0 : PEBS_PMI_AFTER_EACH_RECORD);
    cpuc.pebsEnabled |= pebsBits(event, config, viaPt);
    writeDataCfg(world, cpu, sink);
  }
  if (config.excludeHost) {
    cpuc.intelCtrlGuestMask |= counter;
  }
  if (config.excludeGuest) {
    cpuc.intelCtrlHostMask |= counter;
  }
  if (counter & FIXED) {
    cpuc.fixedCtrl = enableFixed(cpuc.fixedCtrl, counter, pebs, pebs && adaptive);
  } else if (counter & GENERAL_PURPOSE) {
    const value = selector(config.eventCode, pebs, adaptive, true);
    hardware.counterEnable |= counter;
    sink.write(EVENTSEL + event.counter, PERF_WRMSR, value, 'start');
  }
}

/** Stops an active event and leaves it with the given status. An event that is not active touches no register. */
export function stopEvent(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  status: number,
  sink: WriteSink,
): void {
  const event = events[at]!;
  if (event.status === ACTIVE) {
    stopCounter(world, events, at, cpu, sink);
  }
  event.status = status;
}

/** What stopping does to the counter of an event, whatever perf takes the event to be. */
export function stopCounter(
  world: PerfWorld,
  events: readonly PerfEvent[],
  at: number,
  cpu: PerfCpu,
  sink: WriteSink,
): void {
  const event = events[at]!;
  const { eventCode, auxOutput } = world.eventConfigs[at]!;
  const { cpuc, hardware } = cpu;
  const counter = counterSet(event);
  cpuc.intelCtrlGuestMask &= ~counter;
  cpuc.intelCtrlHostMask &= ~counter;
  if (counter & FIXED) {
    cpuc.fixedCtrl = disableFixed(cpuc.fixedCtrl, counter, world.perfOptions.adaptiveBitStays);
  } else if (counter & GENERAL_PURPOSE) {
    const value = selector(eventCode, event.preciseIp > 0, world.caps.pebsBaseline, false);
    hardware.counterEnable &= ~counter;
    sink.write(EVENTSEL + event.counter, PERF_WRMSR, value, 'stop');
  }
  if (event.preciseIp > 0) {
    dropPebsBits(world, event, auxOutput, cpu, sink);
  }
  cpuc.activeMask &= ~counter;
}

/** The PEBS half of a stop: the via-PT bits go only with the last other bit. */
function dropPebsBits(
  world: PerfWorld,
  event: PerfEvent,
  viaPt: boolean,
  cpu: PerfCpu,
  sink: WriteSink,
): void {
  const { cpuc } = cpu;
  cpuc.pebsEnabled &= ~counterSet(event);
  if (viaPt && (cpuc.pebsEnabled & ~PEBS_VIA_PT) === 0) {
    cpuc.pebsEnabled &= ~PEBS_VIA_PT;
  }
  if (cpuc.enabled && world.caps.pebsEnableMsr) {
    wrmsrPebsEnable(world, cpu, cpuc.pebsEnabled, PERF_WRMSR, 'stop', sink);
  }
}
