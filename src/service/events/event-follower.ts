/**
 * Follows the event log for all streams of this process: events are read and rendered once, however many streams there are.
 * Each batch begins where the one before it ends, so a stream goes from batch to batch. The newest batches are kept for
 * streams that lag a little; one that lags more reads the log itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { awayReason } from '../../store/database-errors.js';
import type { EventPlace, EventRow, EventStore } from '../../store/event-store.js';
import type { Notices } from '../../store/notices.js';
import { cursorOf, eventsText, resetText } from './event-text.js';

/** The events between two places. */
export interface Batch {
  readonly to: EventPlace;
  readonly text: Buffer;
  /** The events in the text; none where it says that some were missed. */
  readonly rows: readonly EventRow[];
}

/** Events per read, at most. */
export const READ_MAX = 200;
const BATCHES_MAX = 32;
/** Polling interval when there are no notices, in case one was lost. */
const LOOK_MILLIS_MAX = 1000;
/** Polling interval after a notice: its event becomes visible once all older transactions have ended, which is soon. */
const LOOK_MILLIS_MIN = 20;
/** Every batch is written to every stream: with this pause between batches, about a thousand writes a second. */
const MILLIS_PER_STREAM = 1;

export class EventFollower {
  /** Replaced whenever a new batch is available. */
  published = 0;
  private readonly closing = new AbortController();
  /** By the cursor of the place where each begins, oldest first. */
  private readonly batches = new Map<string, Batch>();
  private readonly waiting = new Set<() => void>();
  private end: EventPlace | undefined;
  private streams = 0;
  private running: Promise<void> | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly notices: Notices,
    private readonly onError: (error: Error) => void,
  ) {}

  /** How far the log has been read; undefined before the first read. */
  get place(): EventPlace | undefined {
    return this.end;
  }

  /** Follows the log for one more stream, until its signal. */
  join(signal: AbortSignal): void {
    if (signal.aborted) return;
    this.streams += 1;
    const leave = (): void => {
      this.streams -= 1;
    };
    signal.addEventListener('abort', leave, { once: true });
    this.running ??= this.run();
  }

  /** The batch after a place, if that place is a boundary of batches still kept. */
  after(place: EventPlace): Batch | undefined {
    return this.batches.get(cursorOf(place));
  }

  /** Waits until `published` changes, the timeout passes, or the signal. */
  next(seen: number, signal: AbortSignal, millisMax?: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = millisMax === undefined ? undefined : setTimeout(done, millisMax);
      this.waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted || this.published !== seen) done();
    });
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    let pause = LOOK_MILLIS_MIN;
    while (this.streams > 0 && !signal.aborted) {
      const listening = new AbortController();
      const heard = this.notices.next('events', pause, listening.signal, signal);
      const since = performance.now();
      const count = await this.look();
      if (count < READ_MAX) {
        pause = (await heard) ? LOOK_MILLIS_MIN : Math.min(2 * pause, LOOK_MILLIS_MAX);
        const early = this.streams * MILLIS_PER_STREAM - (performance.now() - since);
        if (early > 0) await sleep(early, undefined, { signal }).catch(() => {});
      }
      listening.abort();
    }
    // In the same turn as the last check of `streams`: a stream that joins from here on restarts the follower.
    this.batches.clear();
    this.end = undefined;
    this.running = undefined;
  }

  /** Reads new events and hands them out. Returns how many; 0 while the database is unavailable. */
  private async look(): Promise<number> {
    try {
      if (this.end === undefined) {
        this.publish(await this.store.latest());
        return 0;
      }
      const rows = await this.store.after(this.end, READ_MAX);
      if (rows === 'expired') {
        const to = await this.store.horizon();
        this.publish(to, { to, text: resetText(to), rows: [] });
        return 0;
      }
      const last = rows.at(-1);
      if (last !== undefined) this.publish(last, { to: last, text: eventsText(rows), rows });
      return rows.length;
    } catch (error) {
      if (awayReason(error) === undefined) this.onError(error as Error);
      return 0;
    }
  }

  private publish({ xid, seq }: EventPlace, batch?: Batch): void {
    if (batch !== undefined && this.end !== undefined) {
      this.batches.set(cursorOf(this.end), batch);
      const [oldest] = this.batches.keys();
      if (this.batches.size > BATCHES_MAX && oldest !== undefined) this.batches.delete(oldest);
    }
    this.end = { xid, seq };
    this.published += 1;
    for (const done of [...this.waiting]) done();
  }
}
