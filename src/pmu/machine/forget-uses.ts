import { TAGS } from '../perf/cpu-hw-events.js';
import { NO_TAG } from '../perf/perf-event.js';
import type { MachineState } from './state.js';

/**
 * Forgets how often each place of perf's list was used (`cpuc->tags`), but not whether that of an event was used since (`hwc->last_tag`):
 * two states that differ in the first only go on alike.
 */
export function forgetUses({ events, cpus }: MachineState): void {
  for (const event of events) {
    const tags = cpus[event.cpu]?.cpuc.tags;
    const isLatest = tags?.[event.position] === event.tag - TAGS * event.cpu;
    event.tag = isLatest ? TAGS * event.cpu : NO_TAG;
  }
  for (const { cpuc } of cpus) cpuc.tags.fill(0);
}
