import type { Screen } from '../screen.js';
import { lastRun } from '../worlds/last-place.js';
import { Timeline } from './timeline.js';

export const timelineScreen: Screen = {
  name: 'Timeline',
  patterns: ['s/:scenario', 'm/:model', 'e/:exploration'].flatMap((world) => [
    `/${world}/ce/:counterexample`,
    `/${world}/run/*`,
  ]),
  View: Timeline,
  rail: { icon: 'M3 8h6v8h6V8h6M3 20h18', address: () => lastRun.value },
};
