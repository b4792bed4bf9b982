/**
 * Reads hosts stored before perf's host side followed Linux step by step (format 1) into the current machine.
 *
 * Format 1 kept neither the order of events nor throttle marks: events are in the order of their slots, and a stopped event
 * is throttled.
 */
import { FIXED, FIXED_BIT, GENERAL_PURPOSE } from '../../pmu/arch/counter-set.js';
import { enableFixed } from '../../pmu/arch/fixed-ctrl.js';
import { GUEST_EVENT_CODE } from '../../pmu/kvm/guest-counters.js';
import { type MachineState, TICK } from '../../pmu/machine/state.js';
import { CPU_CONTEXT } from '../../pmu/machine/tick-work.js';
import { TAGS } from '../../pmu/perf/cpu-hw-events.js';
import { eventCodeOf } from '../../pmu/perf/open-rules.js';
import {
  ACTIVE,
  ADDED,
  CLOSED,
  counterSet,
  HOST_OWNED,
  NO_COUNTER,
  type PerfEventConfig,
  STOPPED,
} from '../../pmu/perf/perf-event.js';
import { STORED_STEPS } from './stored-steps.js';

/** Micro-steps of PMU enable, which began at 5 in format 1; those of `vmx_vcpu_run` began at 11. */
const ENABLE_STEPS = [
  'e1_place_event',
  'e2_enabled',
  'e3_read_pebs_enabled',
  'e3_pebs_enable',
  'e5_fixed_ctrl',
  'e6_global_ctrl',
].map((name) => STORED_STEPS.indexOf(name));
const ENABLE_BEGAN_AT = 5;
const RUN_BEGAN_AT = 11;

/** The number that today's images have for a micro-step of format 1. */
export function upgradeStep(step: number): number {
  return step >= RUN_BEGAN_AT
    ? step - RUN_BEGAN_AT + STORED_STEPS.indexOf('k0_irq_off')
    : (ENABLE_STEPS[step - ENABLE_BEGAN_AT] ?? step);
}

/** Event configurations of format 1 had no event code. */
export function upgradeConfig(config: PerfEventConfig): PerfEventConfig {
  const { constraint, owner } = config;
  const isPinned = (constraint & (constraint - 1)) === 0;
  const counter = isPinned ? 31 - Math.clz32(constraint) : NO_COUNTER;
  return {
    ...config,
    eventCode: owner === HOST_OWNED ? eventCodeOf(counter) : GUEST_EVENT_CODE,
  };
}

/** Fills in what format 1 did not have. */
export function upgradeState(state: MachineState, configs: readonly PerfEventConfig[]): void {
  for (const cpu of state.cpus) {
    if (cpu.operation === TICK) {
      cpu.target = CPU_CONTEXT;
    }
    cpu.hardware.fixedCtrl = cpu.hardware.counterEnable & FIXED;
  }
  const places = new Int32Array(state.cpus.length);
  let rank = 0;
  state.events.forEach((event, at) => {
    if (event.status === CLOSED) {
      return;
    }
    event.rank = rank;
    rank += 1;
    if (event.status < ADDED) {
      return;
    }
    const cpu = state.cpus[event.cpu]!;
    event.position = places[event.cpu]!;
    places[event.cpu]! += 1;
    event.mark = event.status === STOPPED ? 1 : 0;
    event.tag = TAGS * event.cpu;
    const isFixed = event.status === ACTIVE && configs[at]!.owner === HOST_OWNED;
    if (isFixed && event.counter >= FIXED_BIT && event.preciseIp > 0) {
      const enabled = (from: number): number => enableFixed(from, counterSet(event), true, true);
      cpu.cpuc.fixedCtrl = enabled(cpu.cpuc.fixedCtrl);
      cpu.cpuc.activeFixedCtrl = enabled(cpu.cpuc.activeFixedCtrl);
      cpu.hardware.fixedCtrl = enabled(cpu.hardware.fixedCtrl);
    }
  });
  for (const { hardware } of state.cpus) {
    hardware.counterEnable =
      (hardware.counterEnable & GENERAL_PURPOSE) | (hardware.fixedCtrl & FIXED);
  }
}
