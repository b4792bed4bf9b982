/**
 * Follows the log of events for all streams of this process together: what happens is read once and made into text once,
 * however many streams there are. Each batch begins where the one before it ends, so a stream goes from batch to batch. The
 * newest batches are kept for streams that are a little slower; one that is slower than that reads for itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { awayReason } from '../../store/database-errors.js';
import type { EventPlace, EventStore } from '../../store/event-store.js';
import type { Notices } from '../../store/notices.js';
import { cursorOf, eventsText, resetText } from './event-text.js';

/** What happened from one place to another. */
export interface Batch {
  readonly to: EventPlace;
  readonly text: Buffer;
}

/** At most so many events are read at once. */
export const READ_MAX = 200;
const BATCHES_MAX = 32;
/** How long to wait before looking again in a quiet time, in case a notice was lost. */
const LOOK_MILLIS_MAX = 1000;
/** After a notice: its event shows once all older transactions have ended, which is soon. */
const LOOK_MILLIS_MIN = 20;
/** Every batch is written to every stream: with this pause between batches, about a thousand writes a second. */
const MILLIS_PER_STREAM = 1;

export class EventFollower {
  /** Changes whenever there is something new to be had here. */
  published = 0;
  private readonly store: EventStore;
  private readonly notices: Notices;
  private readonly onError: (error: Error) => void;
  private readonly closing = new AbortController();
  /** By the cursor of the place at which they begin, oldest first. */
  private readonly batches = new Map<string, Batch>();
  private readonly waiting = new Set<() => void>();
  private end: EventPlace | undefined;
  private streams = 0;
  private running: Promise<void> | undefined;

  constructor(store: EventStore, notices: Notices, onError: (error: Error) => void) {
    this.store = store;
    this.notices = notices;
    this.onError = onError;
  }

  /** How far the log was read; undefined before it was. */
  get place(): EventPlace | undefined {
    return this.end;
  }

  /** Follows the log for one stream more, until its signal. */
  join(signal: AbortSignal): void {
    if (signal.aborted) return;
    this.streams += 1;
    const leave = (): void => {
      this.streams -= 1;
    };
    signal.addEventListener('abort', leave, { once: true });
    this.running ??= this.run();
  }

  /** What happened after a place, where it is one between two batches that are still kept. */
  after(place: EventPlace): Batch | undefined {
    return this.batches.get(cursorOf(place));
  }

  /** Waits until `published` is no longer what it was, at most so long, or until the signal. */
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
    // In one go with the last look at `streams`: whoever joins from here on begins anew.
    this.batches.clear();
    this.end = undefined;
    this.running = undefined;
  }

  /** Reads what is new and hands it out. How many events; none while the database is away. */
  private async look(): Promise<number> {
    try {
      if (this.end === undefined) {
        this.publish(await this.store.latest());
        return 0;
      }
      const rows = await this.store.after(this.end, READ_MAX);
      if (rows === 'expired') {
        const to = await this.store.horizon();
        this.publish(to, { to, text: resetText(to) });
        return 0;
      }
      const last = rows.at(-1);
      if (last !== undefined) this.publish(last, { to: last, text: eventsText(rows) });
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
