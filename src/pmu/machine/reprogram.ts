/**
 * KVM brings the perf events behind a guest's counters in line with the guest's registers (`reprogram_counter`), an event and
 * a step at a time: live hosts until nothing is left to do, searches with everything else that can happen in between.
 *
 * What there is to do is in `kvm/guest-counters.ts`.
 */
import type { WriteSink } from '../arch/write-sink.js';
import {
  guestPreciseIp,
  PEBS_DATA_CFG_GP,
  type Reprogramming,
  reprogrammingOf,
} from '../kvm/guest-counters.js';
import { NO_EVENT } from '../perf/perf-event.js';
import { beginClose, beginDisable, beginEnable } from './begin.js';
import { refuseClose, refuseReserve, refuseUnlessIdle } from './guards.js';
import { openEvent } from './open-close.js';
import {
  DISABLE_EVENT,
  ENABLE_EVENT,
  type LogicalCpu,
  type MachineState,
  NO_VCPU,
} from './state.js';
import type { World } from './world.js';

/** What KVM has to do next to the event behind a guest's counter. */
export function reprogramming(world: World, state: MachineState, at: number): Reprogramming {
  const config = world.eventConfigs[at]!;
  const { owner } = config;
  return reprogrammingOf(world.guestCaps[owner]!, state.vcpus[owner]!, state.events[at]!, config);
}

/** The first event of the CPU's current thread that its guest's registers want otherwise, or NO_EVENT. */
export function nextToReprogram(world: World, state: MachineState, cpu: LogicalCpu): number {
  if (cpu.currentVcpu === NO_VCPU) {
    return NO_EVENT;
  }
  for (let at = 0; at < state.events.length; at += 1) {
    const isOwn = world.eventConfigs[at]!.owner === cpu.currentVcpu;
    if (isOwn && reprogramming(world, state, at) !== 'none') {
      return at;
    }
  }
  return NO_EVENT;
}

/** KVM reprograms a guest's counters before anything else happens on the vCPU's thread. */
export const REPROGRAM_FIRST = 'KVM must reprogram a guest counter first';

export function refuseReprogramming(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  at: number,
): string | null {
  switch (reprogramming(world, state, at)) {
    case 'open':
      return refuseReserve(state);
    case 'close':
      return refuseClose(state, cpu);
    case 'none':
      return "the event is as its guest's registers say";
    default:
      return refuseUnlessIdle(cpu);
  }
}

export function reprogram(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  at: number,
  sink: WriteSink,
): void {
  switch (reprogramming(world, state, at)) {
    case 'open': {
      const { owner, guestCounter } = world.eventConfigs[at]!;
      const preciseIp = guestPreciseIp(world.guestCaps[owner]!, state.vcpus[owner]!, guestCounter);
      openEvent(world, state, at, preciseIp, preciseIp === 1 ? PEBS_DATA_CFG_GP : 0, sink);
      return;
    }
    case 'enable':
      beginEnable(world, state, cpu, at, ENABLE_EVENT);
      return;
    case 'disable':
      beginDisable(world, state, cpu, at, DISABLE_EVENT);
      return;
    case 'close':
      beginClose(world, state, cpu, at);
      return;
    case 'none':
  }
}
