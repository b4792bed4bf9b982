/** What KVM still has to do in a state so that the events behind guest counters are what the guests' registers say. */
import { reprogramming } from '../../pmu/machine/reprogram.js';
import { type LogicalCpu, type MachineState, NO_VCPU } from '../../pmu/machine/state.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from '../explored-world.js';

/** The first event of the CPU's current thread that its guest's registers want otherwise, or NO_EVENT. */
export function nextToReprogram(
  { world, guestCounters }: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
): number {
  if (cpu.currentVcpu === NO_VCPU || guestCounters === 0) {
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
