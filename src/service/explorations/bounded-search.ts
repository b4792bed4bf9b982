/** Within which bounds the service searches, and where: small searches in the warm thread, others in threads of their own. */
import { availableParallelism } from 'node:os';
import type { ExplorationRequest } from '../../../schemas/exploration-request.js';
import type { Limits, StopReason } from '../../explorer/budget.js';
import { type ExploreOptions, type ExploreWatch, explore } from '../../explorer/explore.js';
import type { ModelSource } from '../../explorer/model.js';
import type { ExploreResult } from '../../explorer/result.js';
import type { WarmSearchThread } from '../../explorer/warm-search-thread.js';
import { graphBounds } from './graphs.js';

/** Time and memory of a search whose request sets none; memory as far as this machine has it. */
const SECONDS_DEFAULT = 60;
const MEGABYTES_DEFAULT = 2048;

/** What the warm thread does not finish within these is done again in threads of its own. */
const WARM_LIMITS = { statesMax: 20_000, millisMax: 300, bytesMax: 64 * 2 ** 20 };
/** Of a thread that searches; what it allocates beside its states is little. */
const HEAP_MEGABYTES = { min: 64, max: 512 };

export type Search = (
  source: ModelSource,
  options: ExploreOptions,
  watch: ExploreWatch,
) => Promise<ExploreResult>;

/** A search that the warm thread cannot finish. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

/** Whether the warm thread may try what is asked for: it has one thread, and searches in breadth. */
export function isMaybeSmall({ strategy = 'bfs', workers = 1 }: ExplorationRequest): boolean {
  return strategy === 'bfs' && workers === 1;
}

/** Rejects with `TooLarge` where it is too much for the warm thread. */
export function smallSearch(warmThread: WarmSearchThread): Search {
  return async (source, options, watch) => {
    const result = await tryWarm(warmThread, source, options, watch.signal);
    if (result !== undefined) return result;
    if (!watch.signal?.aborted) throw new TooLarge();
    return explore(source, options, watch);
  };
}

/** In threads of its own, but for what comes after the first search: that may be small. */
export function largeSearch(warmThread: WarmSearchThread): Search {
  let isFirst = true;
  return async (source, options, watch) => {
    const mayBeSmall =
      !isFirst && options.strategy?.kind === 'breadth-first' && options.workers === 1;
    isFirst = false;
    const result = mayBeSmall
      ? await tryWarm(warmThread, source, options, watch.signal)
      : undefined;
    return result ?? explore(source, options, watch);
  };
}

/** What the warm thread found; undefined where it is too much for it, or no longer wanted. */
async function tryWarm(
  warmThread: WarmSearchThread,
  source: ModelSource,
  options: ExploreOptions,
  signal: AbortSignal | undefined,
): Promise<ExploreResult | undefined> {
  if (signal?.aborted) return undefined;
  const { limits = {} } = options;
  const least = (asked: number | undefined, own: number): number => Math.min(asked ?? own, own);
  const attempt = warmThread.search(source, {
    ...options,
    limits: {
      ...limits,
      statesMax: least(limits.statesMax, WARM_LIMITS.statesMax),
      millisMax: least(limits.millisMax, WARM_LIMITS.millisMax),
      bytesMax: least(limits.bytesMax, WARM_LIMITS.bytesMax),
    },
  });
  // A client that cancels does not wait for the warm thread, which ends within its own limits.
  const ended = new AbortController();
  const result = await Promise.race([attempt, abortOf(signal, ended.signal)]).finally(() => {
    ended.abort();
  });
  return result !== undefined && isFinal(result.cut, limits) ? result : undefined;
}

/** Whether a search was cut where it was to be, and not because the warm thread may do no more. */
function isFinal(cut: StopReason | null, limits: Limits): boolean {
  if (cut === 'statesMax' || cut === 'millisMax' || cut === 'bytesMax') {
    return (limits[cut] ?? Number.POSITIVE_INFINITY) <= WARM_LIMITS[cut];
  }
  return cut === null || cut === 'firstViolation' || cut === 'depthMax';
}

/** Listens until the search has ended: an exploration makes many with one signal. */
function abortOf(signal: AbortSignal | undefined, ended: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal?.addEventListener('abort', () => resolve(undefined), { once: true, signal: ended });
  });
}

export function optionsOf(
  request: ExplorationRequest,
  fold: boolean,
  searchMegabytes: number,
): ExploreOptions {
  const { bounds = {}, strategy = 'bfs' } = request;
  const kinds = {
    bfs: { kind: 'breadth-first' },
    dfs: { kind: 'depth-first' },
    random: { kind: 'random-walk', seed: request.seed ?? 1, walks: request.walks ?? 1000 },
  } as const;
  // Another instance, with more memory, may have taken the request.
  const megabytes = Math.min(bounds.megabytes ?? MEGABYTES_DEFAULT, searchMegabytes);
  return {
    strategy: kinds[strategy],
    fold: fold && strategy === 'bfs',
    // More threads than cores would only keep this process from answering.
    workers: strategy === 'bfs' ? Math.min(request.workers ?? 1, availableParallelism()) : 1,
    stopAtFirstViolation: request.stop_at_first ?? false,
    heapMegabytesMax: Math.min(Math.max(searchMegabytes, HEAP_MEGABYTES.min), HEAP_MEGABYTES.max),
    graph: graphBounds(searchMegabytes),
    limits: {
      statesMax: bounds.states,
      depthMax: bounds.depth ?? { bfs: undefined, dfs: 10_000, random: 1000 }[strategy],
      millisMax: Math.ceil((bounds.seconds ?? SECONDS_DEFAULT) * 1000),
      bytesMax: megabytes * 2 ** 20,
    },
  };
}
