/** An exploration carried out by a worker: taken up, searched, its progress told, and its end written into its row. */
import type { Exploration } from '../../../schemas/exploration.js';
import type { Progress } from '../../explorer/explore.js';
import type { Scout } from '../../explorer/scout.js';
import type { WorkJob } from '../../jobs/work-queue.js';
import type { Database } from '../../store/database.js';
import type { EventInput } from '../../store/event-store.js';
import { cancelled, type WorkRow, WorkStore } from '../../store/work-store.js';
import { runExploration } from './job.js';
import type { StoredRequest } from './request.js';

export const EXPLORATION = 'exploration';
/** How often progress is written, and how often it is told to those who listen. */
const PROGRESS_MILLIS = 500;
const TELL_MILLIS = 2000;

/** Explorations come before the many small pieces of campaigns. */
export function explorationJob(id: string): WorkJob {
  return { kind: EXPLORATION, id: `exploration-${id}`, data: { id }, priority: 1 };
}

export function endedEvent(id: string, data: object): EventInput {
  return { type: 'exploration.ended', subject: id, data };
}

export class ExplorationWork {
  private readonly database: Database;
  private readonly store: WorkStore;
  private readonly scout: Scout;

  constructor(database: Database, scout: Scout) {
    this.database = database;
    this.store = new WorkStore(database, 'explorations');
    this.scout = scout;
  }

  /** `signal` ends when this instance stops: then the search is given back, and starts again elsewhere. */
  async carryOut({ id }: { id: string }, signal: AbortSignal): Promise<'done' | 'released'> {
    const cancel = new AbortController();
    const stop = this.database.notices.listen(cancelled(id), () => void this.heed(id, cancel));
    try {
      const row = await this.store.start(id);
      if (row === undefined) return 'done';
      if (row.cancelRequested) cancel.abort();
      const found = await this.search(row, AbortSignal.any([signal, cancel.signal]));
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

  /** A notice may also only mean that notices were missed. */
  private async heed(id: string, cancel: AbortController): Promise<void> {
    const row = await this.store.get(id).catch(() => undefined);
    if (row?.cancelRequested) cancel.abort();
  }

  private async search(row: WorkRow, signal: AbortSignal): Promise<Partial<Exploration>> {
    const { request, fold } = row.request as StoredRequest;
    const { model } = row.resource as Exploration;
    const watch = new ProgressWriter(row.id, this.store);
    try {
      const outcome = await runExploration(this.scout, request, model, fold, {
        signal,
        onProgress: (progress) => watch.see(progress),
      });
      const done = outcome.distinct_states ?? outcome.total_states ?? 0;
      return { ...outcome, progress: { ...watch.last, done } };
    } catch (error) {
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
