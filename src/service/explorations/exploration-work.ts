/** An exploration carried out by a worker: taken up, searched, its progress told, and its end written into its row. */
import type { Exploration } from '../../../schemas/exploration.js';
import type { Progress } from '../../explorer/explore.js';
import type { WarmSearchThread } from '../../explorer/warm-search-thread.js';
import type { AddJobs, WorkJob } from '../../jobs/work-queue.js';
import type { Database } from '../../store/database.js';
import type { EventInput } from '../../store/event-store.js';
import type { Lane } from '../../store/tables.js';
import {
  cancelled,
  DEATHS_MAX,
  type WaitingWork,
  type WorkRow,
  WorkStore,
} from '../../store/work-store.js';
import { giveBack } from '../give-back.js';
import { largeSearch, optionsOf, smallSearch, TooLarge } from './bounded-search.js';
import { runExploration } from './job.js';
import type { StoredRequest } from './request.js';

export const EXPLORATION = 'exploration';
const DEADLY = `${DEATHS_MAX} times the service ended while it searched this, without giving it back: perhaps it takes more memory than there is`;
/** How often progress is written, and how often it is told to those who listen. */
const PROGRESS_MILLIS = 500;
const TELL_MILLIS = 2000;

/**
 * Those who ask for much wait behind those who ask for little: the second search of one comes after the first of all. All
 * of them come before the many pieces of campaigns.
 */
export function explorationJob({ id, lane, own }: WaitingWork): WorkJob {
  const priority = Math.min(own, PRIORITY_MAX);
  return { kind: EXPLORATION, id: `exploration-${id}`, data: { id, lane }, lane, priority };
}
const PRIORITY_MAX = 99;

export function endedEvent(id: string, data: object): EventInput {
  return { type: 'exploration.ended', subject: id, data };
}

interface JobData {
  readonly id: string;
  readonly lane: Lane;
}

export class ExplorationWork {
  private readonly database: Database;
  private readonly store: WorkStore;
  private readonly warmThread: WarmSearchThread;
  private readonly searchMegabytes: number;
  private readonly addJobs: AddJobs;
  private readonly underWay = new Set<string>();

  constructor(
    database: Database,
    warmThread: WarmSearchThread,
    searchMegabytes: number,
    addJobs: AddJobs,
  ) {
    this.database = database;
    this.store = new WorkStore(database, 'explorations');
    this.warmThread = warmThread;
    this.searchMegabytes = searchMegabytes;
    this.addJobs = addJobs;
  }

  /** `signal` ends when this instance stops: then the search is given back, and starts again elsewhere. */
  async carryOut({ id, lane }: JobData, signal: AbortSignal): Promise<'done' | 'released'> {
    const waiting = await this.store.waiting(id);
    if (waiting === undefined) return 'done';
    if (waiting.lane !== lane) {
      await this.addJobs([explorationJob(waiting)]);
      return 'done';
    }
    this.underWay.add(id);
    try {
      return await this.untilEnded(id, signal);
    } catch (error) {
      // The database is away. Whoever takes the search up then is not to think that this process has died.
      void giveBack(async () => {
        if (!this.underWay.has(id)) await this.store.release(id);
      });
      throw error;
    } finally {
      this.underWay.delete(id);
    }
  }

  private async untilEnded(id: string, signal: AbortSignal): Promise<'done' | 'released'> {
    const cancel = new AbortController();
    const stop = this.database.notices.listen(cancelled(id), () => void this.heed(id, cancel));
    try {
      const row = await this.store.start(id);
      if (row === undefined) return 'done';
      if (row.cancelRequested) cancel.abort();
      const found =
        row.deaths >= DEATHS_MAX
          ? { error: DEADLY }
          : await this.search(row, AbortSignal.any([signal, cancel.signal]));
      if (found === undefined) return await this.handOver(row);
      if (signal.aborted && !cancel.signal.aborted) {
        await this.store.release(id);
        return 'released';
      }
      const state = 'error' in found ? 'failed' : cancel.signal.aborted ? 'cancelled' : 'succeeded';
      await this.store.finish(id, state, found, endEvents(id, state, found));
      return 'done';
    } finally {
      stop();
    }
  }

  /** What the warm thread cannot finish waits for threads of its own. */
  private async handOver({ id }: WorkRow): Promise<'done'> {
    await this.store.enlarge(id);
    const waiting = await this.store.waiting(id);
    if (waiting !== undefined) await this.addJobs([explorationJob(waiting)]);
    return 'done';
  }

  /** A notice may also only mean that notices were missed. */
  private async heed(id: string, cancel: AbortController): Promise<void> {
    const row = await this.store.get(id).catch(() => undefined);
    if (row?.cancelRequested) cancel.abort();
  }

  /** What was found, or why nothing was; undefined where it is no small search. */
  private async search(
    row: WorkRow,
    signal: AbortSignal,
  ): Promise<Partial<Exploration> | undefined> {
    const { request, fold } = row.request as StoredRequest;
    const { model } = row.resource as Exploration;
    const watch = new ProgressWriter(row.id, this.store);
    try {
      const search =
        row.lane === 'small' ? smallSearch(this.warmThread) : largeSearch(this.warmThread);
      const options = optionsOf(request, fold, this.searchMegabytes);
      const outcome = await runExploration(search, request, model, options, {
        signal,
        onProgress: (progress) => watch.see(progress),
      });
      const done = outcome.distinct_states ?? outcome.total_states ?? 0;
      return { ...outcome, progress: { ...watch.last, done } };
    } catch (error) {
      if (error instanceof TooLarge) return undefined;
      return { error: error instanceof Error ? error.message.slice(0, 500) : 'unknown' };
    } finally {
      await watch.settled;
    }
  }
}

/** Writes progress now and then; the newest where writing is slow. */
class ProgressWriter {
  last: Exploration['progress'] = { done: 0, unit: 'states' };
  settled: Promise<void> = Promise.resolve();
  private readonly id: string;
  private readonly store: WorkStore;
  private isWriting = false;
  private writtenAt = performance.now();
  private toldAt = performance.now();

  constructor(id: string, store: WorkStore) {
    this.id = id;
    this.store = store;
  }

  see(progress: Progress): void {
    this.last = progressItem(progress);
    const now = performance.now();
    if (this.isWriting || now - this.writtenAt < PROGRESS_MILLIS) return;
    const isTold = now - this.toldAt >= TELL_MILLIS;
    this.isWriting = true;
    this.writtenAt = now;
    if (isTold) this.toldAt = now;
    const event = { type: 'exploration.progress', subject: this.id, data: this.last };
    this.settled = this.store
      .progress(this.id, { progress: this.last }, isTold ? [event] : [])
      // Progress that cannot be written is written the next time.
      .catch(() => {})
      .finally(() => {
        this.isWriting = false;
      });
  }
}

function endEvents(id: string, state: string, found: Partial<Exploration>): EventInput[] {
  const violated = (found.properties ?? []).filter(({ verdict }) => verdict === 'violated');
  return [
    ...violated.map((property) => ({
      type: 'violation.found',
      subject: id,
      data: { invariant: property.id, counterexample: property.counterexample?.id ?? null },
    })),
    endedEvent(id, {
      state,
      verdict: found.verdict ?? null,
      distinct_states: found.distinct_states ?? null,
    }),
  ];
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
