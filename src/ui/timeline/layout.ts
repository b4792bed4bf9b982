/** Where on the timeline everything stands. */
import { ACTORS, type Actor } from '../widgets/actor.js';
import type { Lane } from './lanes.js';
import type { Run } from './run.js';

export const AXIS_HEIGHT = 56;
export const ACTOR_HEIGHT = 18;
export const GROUP_HEIGHT = 24;
const LANE_HEIGHTS = { bit: 36, value: 28, text: 26 } as const;

/** Steps narrower than this are not told apart. */
export const STEP_WIDTH_MIN = 2;
const STEP_WIDTH_MAX = 64;
/** So much is shown at first where the whole run does not fit. */
const STEP_WIDTH_FIRST = 12;

export interface Placed {
  readonly lane: Lane;
  readonly top: number;
  readonly height: number;
  /** The name of the register above the first of its lanes. */
  readonly heading: string | undefined;
}

export interface Layout {
  readonly actors: readonly Actor[];
  readonly lanes: readonly Placed[];
  readonly height: number;
}

export function layOut(run: Run, lanes: readonly Lane[]): Layout {
  const present = new Set(run.steps.map(({ actor }) => actor));
  const actors = ACTORS.filter((actor) => present.has(actor));
  let top = AXIS_HEIGHT + actors.length * ACTOR_HEIGHT;
  let group = '';
  const placed = lanes.map((lane): Placed => {
    const heading = lane.group === group ? undefined : lane.group;
    group = lane.group;
    if (heading !== undefined) top += GROUP_HEIGHT;
    const height = LANE_HEIGHTS[lane.kind];
    top += height;
    return { lane, top: top - height, height, heading };
  });
  return { actors, lanes: placed, height: top + 6 };
}

/** The width of a step at first: all of the run, if that can be read. */
export function firstWidth(columns: number, room: number): number {
  const fitting = room / columns;
  return clampWidth(fitting < STEP_WIDTH_FIRST ? STEP_WIDTH_FIRST : Math.min(fitting, 44));
}

export function clampWidth(width: number): number {
  return Math.min(STEP_WIDTH_MAX, Math.max(STEP_WIDTH_MIN, width));
}
