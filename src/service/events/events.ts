/** Live events for clients: pages after a cursor, and a stream that goes on as things happen on any instance. */
import type { EventPage } from '../../../schemas/event.js';
import { type Database, openQueries } from '../../store/database.js';
import { awayReason } from '../../store/database-errors.js';
import { type EventPlace, EventStore } from '../../store/event-store.js';
import { ProblemError } from '../problem-error.js';
import { type Batch, EventFollower, READ_MAX } from './event-follower.js';
import { cursorOf, eventItem, eventsText, isAfter, placeOf, resetText } from './event-text.js';

/** One is the follower's; the others are for streams that begin or lag. */
const CONNECTIONS_MAX = 3;
/** A stream that cannot read for itself tries again. */
const RETRY_MILLIS = 1000;

export class Events {
  private readonly store: EventStore;
  /** Streams have connections of their own, so that no request waits for them. */
  private readonly queries: ReturnType<typeof openQueries>;
  private readonly streamed: EventStore;
  private readonly follower: EventFollower;

  constructor({ url, query, notices }: Database, onError: (error: Error) => void) {
    this.store = new EventStore(query);
    this.queries = openQueries(url, 'pebslab streams', CONNECTIONS_MAX, onError);
    this.streamed = new EventStore(this.queries);
    this.follower = new EventFollower(this.streamed, notices, onError);
  }

  /** Before anything is read. */
  open(): Promise<void> {
    return this.store.adopt();
  }

  /** After all streams have ended. */
  async close(): Promise<void> {
    await this.follower.close();
    await this.queries.destroy();
  }

  /** The events after a cursor, or the oldest that are kept. */
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

  /** Where a stream begins: after a cursor, or with what happens next. Throws where that is no cursor. */
  async start(after: string | undefined): Promise<EventPlace> {
    return after === undefined ? this.streamed.latest() : parseCursor(after);
  }

  /** Where a stream goes on; of a place that is none of ours everything may have been missed, which `follow` tells. */
  resume(last: string): EventPlace {
    return placeOf(last) ?? { xid: '0', seq: -1 };
  }

  /** The text of a stream: what happens after a place, as it happens, until the signal. */
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
   * Reads for one stream, at most up to the place where the follower is: from there the stream goes on with what the follower
   * hands out. Undefined where it has to wait for the follower, or for the database.
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
  const detail = 'is not a cursor of events';
  throw new ProblemError('validation', `after ${detail}.`, [
    { pointer: '/after', detail, in: 'query' },
  ]);
}

function expired(restart: string): ProblemError {
  return new ProblemError(
    'cursor_expired',
    'Events after this cursor have been deleted: some were missed. Go on from restart_cursor.',
    [{ pointer: '/after', detail: 'is older than the events that are kept', in: 'query' }],
    { restart_cursor: restart },
  );
}
