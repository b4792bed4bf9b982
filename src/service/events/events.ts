/** Live events for clients: pages after a cursor, and a stream of the events of all instances. */
import type { EventPage } from '../../../schemas/event.js';
import { type Database, openQueries } from '../../store/database.js';
import { awayReason } from '../../store/database-errors.js';
import { type EventPlace, EventStore } from '../../store/event-store.js';
import { ProblemError } from '../problem-error.js';
import { type Batch, EventFollower, READ_MAX } from './event-follower.js';
import { cursorOf, eventItem, eventsText, isAfter, placeOf, resetText } from './event-text.js';

/** One for the follower; the others for streams that begin or lag. */
const CONNECTIONS_MAX = 3;
/** After this long, a stream that could not read tries again. */
const RETRY_MILLIS = 1000;

export class Events {
  private readonly store: EventStore;
  /** Streams have their own connections, so that no request waits for them. */
  private readonly queries: ReturnType<typeof openQueries>;
  private readonly streamed: EventStore;
  private readonly follower: EventFollower;

  constructor({ url, query, notices }: Database, onError: (error: Error) => void) {
    this.store = new EventStore(query);
    this.queries = openQueries(url, 'pebslab streams', CONNECTIONS_MAX, onError);
    this.streamed = new EventStore(this.queries);
    this.follower = new EventFollower(this.streamed, notices, onError);
  }

  /** Call before the first read. */
  open(): Promise<void> {
    return this.store.adopt();
  }

  /** Call after all streams have ended. */
  async close(): Promise<void> {
    await this.follower.close();
    await this.queries.destroy();
  }

  /** The events after a cursor, or the oldest ones stored. */
  async page(after: string | undefined, limit: number): Promise<EventPage> {
    const place = after === undefined ? await this.store.horizon() : parseCursor(after);
    const rows = await this.store.after(place, limit + 1);
    if (rows === 'expired') throw expired(cursorOf(await this.store.horizon()));
    const items = rows.slice(0, limit).map(eventItem);
    return {
      items,
      next_cursor: items.at(-1)?.id ?? cursorOf(place),
      has_more: rows.length > items.length,
    };
  }

  /** Where a stream begins: after a cursor, or now. Throws if the cursor is malformed. */
  async start(after: string | undefined): Promise<EventPlace> {
    return after === undefined ? this.streamed.latest() : parseCursor(after);
  }

  /** Where a stream resumes; an unknown cursor resumes with a `reset` event. */
  resume(last: string): EventPlace {
    return placeOf(last) ?? { xid: '0', seq: -1 };
  }

  /** The text of a stream: the events after a place, live, until the signal. */
  async *follow(start: EventPlace, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { follower } = this;
    follower.join(signal);
    let place = start;
    while (!signal.aborted) {
      const seen = follower.published;
      const goal = follower.place;
      const isThere = goal !== undefined && cursorOf(goal) === cursorOf(place);
      let batch = follower.after(place);
      if (batch === undefined && goal !== undefined && !isThere) {
        batch = await this.catchUp(place, goal, signal);
      }
      if (batch === undefined) {
        await follower.next(seen, signal, isThere ? undefined : RETRY_MILLIS);
        continue;
      }
      place = batch.to;
      if (batch.text.length > 0) yield batch.text;
    }
  }

  /**
   * Reads for one stream, at most up to the follower's place; from there the stream continues with the follower's batches.
   * Undefined if it has to wait for the follower, or for the database.
   */
  private async catchUp(
    place: EventPlace,
    goal: EventPlace,
    signal: AbortSignal,
  ): Promise<Batch | undefined> {
    try {
      const rows = await this.streamed.after(place, READ_MAX);
      if (rows === 'expired') {
        const to = await this.streamed.horizon();
        return { to, text: resetText(to) };
      }
      if (!isAfter(goal, place)) return undefined;
      const wanted = rows.filter((row) => !isAfter(row, goal));
      const last = wanted.length === READ_MAX ? wanted.at(-1) : undefined;
      return { to: last ?? goal, text: eventsText(wanted) };
    } catch (error) {
      if (signal.aborted || awayReason(error) !== undefined) return undefined;
      throw error;
    }
  }
}

function parseCursor(cursor: string): EventPlace {
  const place = placeOf(cursor);
  if (place !== undefined) return place;
  const detail = 'is not an event cursor';
  throw new ProblemError('validation', `after ${detail}.`, [
    { pointer: '/after', detail, in: 'query' },
  ]);
}

function expired(restart: string): ProblemError {
  return new ProblemError(
    'cursor_expired',
    'Events after this cursor have been deleted, so some were missed. Continue from restart_cursor.',
    [{ pointer: '/after', detail: 'is older than the stored events', in: 'query' }],
    { restart_cursor: restart },
  );
}
