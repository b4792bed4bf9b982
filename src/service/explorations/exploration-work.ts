/** Claims an exploration, runs it, reports progress, stores the result. */
import type { Exploration } from '../../../schemas/exploration.js';
import type { Progress } from '../../explorer/explore.js';
import type { WarmSearchThread } from '../../explorer/warm-search-thread.js';
import type { WorkJob } from '../../jobs/work-queue.js';
import { type EventInput, eventOf } from '../../store/event-store.js';
import type { WorkState } from '../../store/tables.js';
import type { WaitingWork, WorkRow } from '../../store/work-store.js';
import type { Workplace } from '../long-work/long-works.js';
import { type Outcome, PieceWork } from '../long-work/pieces.js';
import { workJob } from '../long-work/work-job.js';
import { SearchMetrics } from '../long-work/work-metrics.js';
import { largeSearch, optionsOf, smallSearch, TooLarge } from './bounded-search.js';
import { runExploration } from './job.js';
import type { KeptFolders } from './kept-folders.js';
import type { StoredRequest } from './request.js';

export const EXPLORATION = 'exploration';

export const explorationJob = (waiting: WaitingWork): WorkJob => workJob(EXPLORATION, waiting);

export class ExplorationWork extends PieceWork {
  private readonly metrics: SearchMetrics;

  constructor(
    around: Workplace,
    private readonly warmThread: WarmSearchThread,
    private readonly searchMegabytes: number,
    private readonly kept: KeptFolders,
  ) {
    super('explorations', around);
    this.metrics = new SearchMetrics(around.meters);
  }

  /** `signal` ends when this instance stops: then the search is given back, and starts again elsewhere. */
  async carryOut(
    { id, lane }: Pick<WaitingWork, 'id' | 'lane'>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const waiting = await this.store.waiting(id);
    if (waiting === undefined) return 'done';
    if (waiting.lane !== lane) {
      await this.around.queue.add([explorationJob(waiting)]);
      return 'done';
    }
    return this.carryOutPiece({ id }, signal, async (ends, unwanted) => {
      const row = await this.store.start(id);
      if (row === undefined) return;
      if (row.cancelRequested || row.pauseRequested) unwanted.abort();
      this.takeUp(lane, row.deaths, 'searched this');
      const found = await this.search(row, ends);
      if (found === undefined) return this.handOver(id);
      const isUnwanted = unwanted.signal.aborted;
      if (!isUnwanted) signal.throwIfAborted();
      else if (await this.isToPause(id)) return this.pause(id, found);
      const state = isUnwanted ? 'cancelled' : 'succeeded';
      const violated = violatedIn(found);
      const events = [...violated.map((one) => foundEvent(id, one)), this.ended(id, state, found)];
      const hasEnded = await this.store.finish(id, state, found, events);
      await this.kept.remove(id);
      if (!hasEnded) return;
      for (const { id: invariant } of violated) {
        const labels = { invariant, origin: 'exploration' };
        this.around.meters.count('pebslab_violations_total', labels);
      }
    });
  }

  protected ended(id: string, state: WorkState, found: Partial<Exploration>): EventInput {
    const { verdict = null, distinct_states = null } = found;
    return eventOf('exploration.ended', id, { state, verdict, distinct_states });
  }

  private async isToPause(id: string): Promise<boolean> {
    const row = await this.store.get(id);
    return row !== undefined && row.finishedAt === null && !row.cancelRequested;
  }

  private async pause(id: string, { progress }: Partial<Exploration>): Promise<void> {
    // One that is paused again before it has taken up its levels has come as far as before.
    const found = progress?.done === 0 ? {} : { progress };
    const state = await this.store.pause(id, found, eventOf('exploration.paused', id));
    if (state === 'queued') await this.queueAgain(id);
  }

  /** Removes what searches have kept that have ended elsewhere or are forgotten. */
  async clearKept(): Promise<void> {
    const ids = await this.kept.ids();
    const unfinished = new Set(await this.store.unfinishedOf(ids));
    for (const id of ids) if (!unfinished.has(id)) await this.kept.remove(id);
  }

  /** What the scout cannot finish waits for threads of its own. */
  private async handOver(id: string): Promise<void> {
    await this.store.enlarge(id);
    await this.queueAgain(id);
  }

  private async queueAgain(id: string): Promise<void> {
    const waiting = await this.store.waiting(id);
    if (waiting !== undefined) await this.around.queue.add([explorationJob(waiting)]);
  }

  /** What was found; undefined where it is no small search. */
  private async search(
    row: WorkRow,
    signal: AbortSignal,
  ): Promise<Partial<Exploration> | undefined> {
    const { request, fold } = row.request as StoredRequest;
    const { model } = row.resource as Exploration;
    let last: Exploration['progress'] = { done: 0, unit: 'states' };
    try {
      const search =
        row.lane === 'small' ? smallSearch(this.warmThread) : largeSearch(this.warmThread);
      const keeps = row.lane === 'work' && (request.strategy ?? 'bfs') === 'bfs';
      const options = {
        ...optionsOf(request, fold, this.searchMegabytes),
        keep: keeps ? await this.kept.folderOf(row.id, { model, request, fold }) : undefined,
      };
      const watch = {
        signal,
        onProgress: (progress: Progress): void => {
          last = progressItem(progress);
        },
      };
      const counted = this.metrics.counted(search);
      const outcome = await this.telling(
        row.id,
        'exploration.progress',
        // Before a search has taken up its levels it has come as far as before.
        () => (last.done === 0 ? undefined : last),
        () => runExploration(counted, request, model, options, watch),
      );
      const done = outcome.distinct_states ?? outcome.total_states ?? 0;
      return { ...outcome, progress: { ...last, done } };
    } catch (error) {
      if (error instanceof TooLarge) return undefined;
      throw error;
    }
  }
}

type Property = Exploration['properties'][number];

function violatedIn({ properties = [] }: Partial<Exploration>): Property[] {
  return properties.filter(({ verdict }) => verdict === 'violated');
}

function foundEvent(id: string, { id: invariant, counterexample }: Property): EventInput {
  return eventOf('violation.found', id, { invariant, counterexample: counterexample?.id ?? null });
}

function progressItem(progress: Progress): Exploration['progress'] {
  const { millisLeft: left } = progress;
  return {
    done: progress.states,
    unit: 'states',
    rate_per_second: progress.statesPerSecond,
    depth: progress.depth,
    frontier: progress.frontier,
    megabytes: progress.bytes / 1024 / 1024,
    ...(left && { seconds_left: [left.low, left.likely, left.high].map((ms) => ms / 1000) }),
  };
}
