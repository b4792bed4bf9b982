/** Claims an exploration, runs it, reports progress, stores the result. */
import type { Exploration } from '../../../schemas/exploration.js';
import type { Progress } from '../../explorer/explore.js';
import type { WarmSearchThread } from '../../explorer/warm-search-thread.js';
import type { AddJobs, WorkJob } from '../../jobs/work-queue.js';
import type { Database } from '../../store/database.js';
import { type EventInput, eventOf } from '../../store/event-store.js';
import type { Lane } from '../../store/tables.js';
import { type OnEnded, type WaitingWork, type WorkRow, WorkStore } from '../../store/work-store.js';
import { Pace } from '../long-work/pace.js';
import { type Outcome, Pieces, takeUp } from '../long-work/pieces.js';
import { workJob } from '../long-work/work-job.js';
import { SearchMetrics } from '../long-work/work-metrics.js';
import type { Meters } from '../metrics/meters.js';
import { largeSearch, optionsOf, smallSearch, TooLarge } from './bounded-search.js';
import { runExploration } from './job.js';
import type { KeptFolders } from './kept-folders.js';
import type { StoredRequest } from './request.js';

export const EXPLORATION = 'exploration';
/** How often progress is written. */
const WRITE_MILLIS = 500;

export const explorationJob = (waiting: WaitingWork): WorkJob => workJob(EXPLORATION, waiting);

interface JobData {
  readonly id: string;
  readonly lane: Lane;
}

export class ExplorationWork {
  private readonly store: WorkStore;
  private readonly pieces: Pieces;
  private readonly pace = new Pace();
  private readonly metrics: SearchMetrics;

  constructor(
    database: Database,
    private readonly warmThread: WarmSearchThread,
    private readonly searchMegabytes: number,
    private readonly kept: KeptFolders,
    private readonly addJobs: AddJobs,
    private readonly meters: Meters,
    onEnded: OnEnded,
  ) {
    this.store = new WorkStore(database, 'explorations', onEnded);
    this.metrics = new SearchMetrics(meters);
    this.pieces = new Pieces(database, this.store, (id) => endEvent(id, 'failed', {}));
  }

  /** `signal` ends when this instance stops: then the search is given back, and starts again elsewhere. */
  async carryOut({ id, lane }: JobData, signal: AbortSignal): Promise<Outcome> {
    const waiting = await this.store.waiting(id);
    if (waiting === undefined) return 'done';
    if (waiting.lane !== lane) {
      await this.addJobs([explorationJob(waiting)]);
      return 'done';
    }
    return this.pieces.carryOut({ id }, signal, async (ends, unwanted) => {
      const row = await this.store.start(id);
      if (row === undefined) return;
      if (row.cancelRequested || row.pauseRequested) unwanted.abort();
      takeUp(this.meters, lane, row.deaths, 'searched this');
      const found = await this.search(row, ends);
      if (found === undefined) return this.handOver(id);
      const isUnwanted = unwanted.signal.aborted;
      if (!isUnwanted) signal.throwIfAborted();
      else if (await this.isToPause(id)) return this.pause(id, found);
      const state = isUnwanted ? 'cancelled' : 'succeeded';
      const hasEnded = await this.store.finish(id, state, found, endEvents(id, state, found));
      await this.kept.remove(id);
      if (!hasEnded) return;
      for (const property of violatedIn(found)) {
        const labels = { invariant: property.id, origin: 'exploration' };
        this.meters.count('pebslab_violations_total', labels);
      }
    });
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
    if (waiting !== undefined) await this.addJobs([explorationJob(waiting)]);
  }

  /** What was found; undefined where it is no small search. */
  private async search(
    row: WorkRow,
    signal: AbortSignal,
  ): Promise<Partial<Exploration> | undefined> {
    const { request, fold } = row.request as StoredRequest;
    const { model } = row.resource as Exploration;
    const watch = new ProgressWriter(row.id, this.store, this.pace);
    try {
      const search =
        row.lane === 'small' ? smallSearch(this.warmThread) : largeSearch(this.warmThread);
      const keeps = row.lane === 'work' && (request.strategy ?? 'bfs') === 'bfs';
      const options = {
        ...optionsOf(request, fold, this.searchMegabytes),
        keep: keeps ? await this.kept.folderOf(row.id, { model, request, fold }) : undefined,
      };
      const outcome = await runExploration(this.metrics.counted(search), request, model, options, {
        signal,
        onProgress: (progress) => watch.see(progress),
      });
      const done = outcome.distinct_states ?? outcome.total_states ?? 0;
      return { ...outcome, progress: { ...watch.last, done } };
    } catch (error) {
      if (error instanceof TooLarge) return undefined;
      throw error;
    } finally {
      await watch.settled;
    }
  }
}

/** Writes progress now and then; the newest where writing is slow. */
class ProgressWriter {
  last: Exploration['progress'] = { done: 0, unit: 'states' };
  settled: Promise<void> = Promise.resolve();
  private isWriting = false;
  private writtenAt = performance.now();

  constructor(
    private readonly id: string,
    private readonly store: WorkStore,
    private readonly pace: Pace,
  ) {}

  see(progress: Progress): void {
    this.last = progressItem(progress);
    const now = performance.now();
    if (this.isWriting || now - this.writtenAt < WRITE_MILLIS) return;
    this.isWriting = true;
    this.writtenAt = now;
    const event = eventOf('exploration.progress', this.id, this.last);
    this.settled = this.store
      .progress(this.id, { progress: this.last }, this.pace.isDue(this.id) ? [event] : [])
      // Progress that cannot be written is written the next time.
      .catch(() => {})
      .finally(() => {
        this.isWriting = false;
      });
  }
}

function violatedIn({ properties = [] }: Partial<Exploration>): Exploration['properties'] {
  return properties.filter(({ verdict }) => verdict === 'violated');
}

function endEvents(id: string, state: string, found: Partial<Exploration>): EventInput[] {
  return [
    ...violatedIn(found).map(({ id: invariant, counterexample }) =>
      eventOf('violation.found', id, { invariant, counterexample: counterexample?.id ?? null }),
    ),
    endEvent(id, state, found),
  ];
}

function endEvent(id: string, state: string, found: Partial<Exploration>): EventInput {
  const { verdict = null, distinct_states = null } = found;
  return eventOf('exploration.ended', id, { state, verdict, distinct_states });
}

function progressItem(progress: Progress): Exploration['progress'] {
  const { millisLeft } = progress;
  return {
    done: progress.states,
    unit: 'states',
    rate_per_second: progress.statesPerSecond,
    depth: progress.depth,
    frontier: progress.frontier,
    megabytes: progress.bytes / 1024 / 1024,
    ...(millisLeft === null
      ? {}
      : {
          seconds_left: [millisLeft.low, millisLeft.likely, millisLeft.high].map((ms) => ms / 1000),
        }),
  };
}
