/**
 * Carrying out long work, piece by piece or as a whole: each piece until it is done, until its work has ended or is no
 * longer wanted, or until this instance stops, and then it is given back.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { awayReason } from '../../store/database-errors.js';
import { type EventInput, eventOf } from '../../store/event-store.js';
import type { Lane, WorkState } from '../../store/tables.js';
import {
  cancelled,
  DEATHS_MAX,
  finished,
  WorkStore,
  type WorkTableName,
} from '../../store/work-store.js';
import type { Workplace } from './long-works.js';
import { Pace } from './pace.js';

/** What the database does not take back while it is away is offered again, so often and after such a pause. */
const TRIES_MAX = 60;
const PAUSE_MILLIS = 1000;
const REASON_LENGTH_MAX = 500;
/** How often progress is written. */
const WRITE_MILLIS = 500;

export type Outcome = 'done' | 'released';

/** A piece of the work of that id; without a name and a way to give it back, the whole. */
interface Piece {
  readonly id: string;
  readonly name?: string;
  readonly release?: () => Promise<void>;
}

export abstract class PieceWork {
  protected readonly store: WorkStore;
  protected readonly pace = new Pace();
  private readonly underWay = new Set<string>();

  constructor(
    table: WorkTableName,
    protected readonly around: Workplace,
  ) {
    this.store = new WorkStore(around.database, table, around.ends[table]);
  }

  /** The event that tells of the end. */
  protected abstract ended(id: string, state: WorkState, found: object): EventInput;

  /**
   * `signal` is given when this instance stops. The work heeds `ends`, which is given then and when the work has ended or
   * is no longer wanted, by `unwanted`.
   */
  protected async carryOutPiece(
    { id, name = id, release = () => this.store.release(id) }: Piece,
    signal: AbortSignal,
    work: (ends: AbortSignal, unwanted: AbortController) => Promise<void>,
  ): Promise<Outcome> {
    const unwanted = new AbortController();
    const look = (): void => void this.look(id, unwanted);
    const stops = [cancelled(id), finished(id)].map((notice) =>
      this.around.database.notices.listen(notice, look),
    );
    const ends = AbortSignal.any([signal, unwanted.signal]);
    // At the end of a campaign every walk that is shrunk listens, and they may be many.
    setMaxListeners(0, ends);
    this.underWay.add(name);
    try {
      await work(ends, unwanted);
      return 'done';
    } catch (error) {
      this.underWay.delete(name);
      const isAway = awayReason(error) !== undefined;
      if (signal.aborted || isAway) {
        const givenBack = this.giveBack(name, release);
        // Retry when the database is unavailable; anything else is a bug and would recur.
        if (isAway && !signal.aborted) throw error;
        await givenBack;
        return 'released';
      }
      const reason = error instanceof Error ? error.message.slice(0, REASON_LENGTH_MAX) : 'unknown';
      await this.store.finish(id, 'failed', { error: reason }, [this.ended(id, 'failed', {})]);
      return 'done';
    } finally {
      this.underWay.delete(name);
      for (const stop of stops) stop();
    }
  }

  /** Writes the newest progress now and then while work goes on, and nothing where there is none or nothing is new. */
  protected async telling<Result>(
    id: string,
    type: string,
    newest: () => object | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    let told: object | undefined;
    let writing: Promise<void> | undefined;
    const timer = setInterval(() => {
      const progress = newest();
      if (writing !== undefined || progress === undefined) return;
      if (isDeepStrictEqual(progress, told)) return;
      told = progress;
      writing = this.store
        .progress(id, { progress }, this.pace.isDue(id) ? [eventOf(type, id, progress)] : [])
        // Progress that cannot be written is written the next time.
        .catch(() => {
          told = undefined;
        })
        .finally(() => {
          writing = undefined;
        });
    }, WRITE_MILLIS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      await writing;
    }
  }

  /** Notices can be spurious: re-read the row. One that is gone is not wanted either; one that cannot be read may be. */
  private async look(id: string, unwanted: AbortController): Promise<void> {
    const row = await this.store.get(id).catch(() => null);
    if (row === null) return;
    if (row?.finishedAt !== null || row.cancelRequested || row.pauseRequested) unwanted.abort();
  }

  /**
   * Whoever takes the piece up next is not to think that this process has died. Never rejects; a process that ends before
   * it could give its work back is counted as one that died.
   */
  private async giveBack(name: string, release: () => Promise<void>): Promise<void> {
    for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
      // By now this very process may be at it again.
      if (this.underWay.has(name)) return;
      try {
        await release();
        return;
      } catch (error) {
        if (awayReason(error) === undefined) return;
        await sleep(PAUSE_MILLIS, undefined, { ref: false });
      }
    }
  }

  /** Counts work that others claimed before and died with. What kills whoever takes it up is not to be taken up for ever. */
  protected takeUp(queue: Lane, deaths: number, what: string): void {
    if (deaths > 0) this.around.meters.count('pebslab_jobs_taken_over_total', { queue });
    if (deaths < DEATHS_MAX) return;
    throw new Error(
      `${DEATHS_MAX} times the service ended while it ${what}, without giving it back: perhaps that takes more memory than there is`,
    );
  }
}
