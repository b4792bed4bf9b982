/** What KVM still has to do in a state so that the events behind guest counters are what the guests' registers say. */
import {
  guestPreciseIp,
  type Reprogramming,
  reprogrammingOf,
} from '../../pmu/kvm/guest-counters.js';
import { type LogicalCpu, type MachineState, NO_VCPU } from '../../pmu/machine/state.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from '../explored-world.js';

/** What has to be done to a guest counter's event. */
export function reprogramming(
  explored: ExploredWorld,
  state: MachineState,
  at: number,
): Reprogramming {
  const config = explored.world.eventConfigs[at]!;
  const caps = explored.guestCaps[config.owner]!;
  return reprogrammingOf(caps, state.vcpus[config.owner]!, state.events[at]!, config);
}

/** The precise_ip that a guest's registers ask for. */
export function wantedPreciseIp(explored: ExploredWorld, state: MachineState, at: number): number {
  const { owner, guestCounter } = explored.world.eventConfigs[at]!;
  return guestPreciseIp(explored.guestCaps[owner]!, state.vcpus[owner]!, guestCounter);
}

/** The first event of the CPU's current thread that its guest's registers want otherwise, or NO_EVENT. */
export function nextToReprogram(
  explored: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
): number {
  if (cpu.currentVcpu === NO_VCPU || explored.guestCounters === 0) {
    return NO_EVENT;
  }
  for (let at = 0; at < state.events.length; at += 1) {
    const isOwn = explored.world.eventConfigs[at]!.owner === cpu.currentVcpu;
    if (isOwn && reprogramming(explored, state, at) !== 'none') {
      return at;
    }
  }
  return NO_EVENT;
}
