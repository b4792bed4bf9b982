/** What KVM still has to do in a state so that the events behind guest counters are what the guests' registers say. */
import * as machine from '../../pmu/machine/reprogram.js';
import type { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { NO_EVENT } from '../../pmu/perf/perf-event.js';
import type { ExploredWorld } from '../explored-world.js';

/** The machine's answer, which is known beforehand in worlds without guest counters. */
export function nextToReprogram(
  { world, guestCounters }: ExploredWorld,
  state: MachineState,
  cpu: LogicalCpu,
): number {
  return guestCounters === 0 ? NO_EVENT : machine.nextToReprogram(world, state, cpu);
}
