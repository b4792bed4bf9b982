/** What explorations, campaigns and explanations tell Prometheus. */
import type { OnEnded, WorkTableName } from '../../store/work-store.js';
import type { Search } from '../explorations/bounded-search.js';
import type { Meters } from '../metrics/meters.js';

/** Counts the ends of such work. */
export function endMetrics(meters: Meters, table: WorkTableName): OnEnded {
  const name = `pebslab_${table}_ended_total` as const;
  // An alert on an increase needs a series before the first end.
  for (const verdict of VERDICTS[table]) {
    meters.count(name, { state: 'succeeded', verdict }, 0);
  }
  const failures = table === 'explanations' ? [] : ['failed', 'cancelled'];
  for (const state of failures) meters.count(name, { state, verdict: 'none' }, 0);
  return (state, verdict) => meters.count(name, { state, verdict: verdict ?? 'none' });
}

const VERDICTS: Readonly<Record<WorkTableName, readonly string[]>> = {
  explorations: ['holds', 'violated', 'undecided'],
  campaigns: ['violated', 'undecided'],
  // Nobody is alerted by explanations; one series will do, for the dashboard.
  explanations: ['explained'],
};

/** The searches that run on this instance. */
export class SearchMetrics {
  /** States per second of those that run. */
  private readonly rates = new Map<object, number>();

  constructor(private readonly meters: Meters) {
    meters.beforeRead(() => {
      const sum = [...this.rates.values()].reduce((all, rate) => all + rate, 0);
      meters.set('pebslab_search_states_per_second', sum);
    });
  }

  /** The same search, counted while it runs and at its end. */
  counted(search: Search): Search {
    return async (source, options, watch) => {
      const self = {};
      let counted = 0;
      const count = (states: number): void => {
        if (states <= counted) return;
        this.meters.count('pebslab_search_states_total', {}, states - counted);
        counted = states;
      };
      try {
        const result = await search(source, options, {
          ...watch,
          onProgress: (progress) => {
            count(progress.states);
            this.rates.set(self, progress.statesPerSecond);
            watch.onProgress?.(progress);
          },
        });
        count(result.distinctStates ?? result.totalStates);
        return result;
      } finally {
        this.rates.delete(self);
      }
    };
  }
}
