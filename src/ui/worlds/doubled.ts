/** What to send to search a world further: twice of the bound that has cut a search, and room for what it took. */
import type { Api } from '../api/client.js';

export type Further = Api['ExplorationRequest'];

/** As much as a search without bounds gets. */
const SECONDS_DEFAULT = 60;
const MEGABYTES_DEFAULT = 2048;
const SECONDS_MAX = 3600;
const MEGABYTES_MAX = 16_384;
const CUT_BY_BOUNDS = ['statesMax', 'depthMax', 'millisMax', 'bytesMax'];

/** Undefined where no bound has cut it. */
export function doubled(exploration: Api['Exploration']): Further | undefined {
  const { scenario, model, compare_with, cut, depth } = exploration;
  if (cut === null || !CUT_BY_BOUNDS.includes(cut)) return undefined;
  const states = exploration.distinct_states ?? 0;
  const seconds = Math.ceil((2 * states) / (exploration.states_per_second || 1));
  const megabytes = twice((states * exploration.bytes_per_state) / 2 ** 20);
  return {
    ...(scenario === undefined ? { model } : { scenario }),
    ...(compare_with === undefined ? {} : { compare_with }),
    bounds: {
      seconds: Math.min(SECONDS_MAX, Math.max(SECONDS_DEFAULT, seconds)),
      ...(cut === 'statesMax' ? { states: 2 * states } : {}),
      ...(cut === 'depthMax' ? { depth: 2 * depth } : {}),
      ...(cut === 'bytesMax' || megabytes > MEGABYTES_DEFAULT
        ? { megabytes: Math.min(MEGABYTES_MAX, megabytes) }
        : {}),
    },
  };
}

/** Memory grows by doubling, so that what was used is more than half of what was to be had. */
function twice(used: number): number {
  return 2 * 2 ** Math.ceil(Math.log2(Math.max(1, used)));
}
