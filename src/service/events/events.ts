/** Live events for clients: pages after a cursor, and a stream of the events of all instances. */
import type { EventPage } from '../../../schemas/event.js';
import { type Database, openQueries } from '../../store/database.js';
import { awayReason } from '../../store/database-errors.js';
import { type EventFilter, type EventPlace, EventStore } from '../../store/event-store.js';
import { ProblemError, queryRefused } from '../problem-error.js';
import { type Batch, EventFollower, READ_MAX } from './event-follower.js';
import {
  cursorOf,
  eventItem,
  eventsText,
  isAfter,
  placeOf,
  placeText,
  resetText,
} from './event-text.js';

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
  async page(
    after: string | undefined,
    limit: number,
    filter: EventFilter = {},
  ): Promise<EventPage> {
    const place = after === undefined ? await this.store.horizon() : parseCursor(after);
    // Read before the events: whatever comes later lies behind it.
    const newest = isFiltering(filter) ? await this.store.latest() : place;
    const rows = await this.store.after(place, limit + 1, filter);
    if (rows === 'expired') throw expired(cursorOf(await this.store.horizon()));
    const items = rows.slice(0, limit).map(eventItem);
    const hasMore = rows.length > items.length;
    const last = rows[items.length - 1] ?? place;
    // A reader of few events passes the others, so that its cursor does not expire.
    const next = !hasMore && isAfter(newest, last) ? newest : last;
    return { items, next_cursor: cursorOf(next), has_more: hasMore };
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
  async *follow(
    start: EventPlace,
    signal: AbortSignal,
    filter: EventFilter = {},
  ): AsyncGenerator<Buffer> {
    const { follower } = this;
    follower.join(signal);
    let place = start;
    while (!signal.aborted) {
      const seen = follower.published;
      const goal = follower.place;
      const isThere = goal !== undefined && cursorOf(goal) === cursorOf(place);
      let batch: Pick<Batch, 'to' | 'text'> | undefined = filtered(follower.after(place), filter);
      if (batch === undefined && goal !== undefined && !isThere) {
        batch = await this.catchUp(place, goal, signal, filter);
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
    filter: EventFilter,
  ): Promise<Pick<Batch, 'to' | 'text'> | undefined> {
    try {
      const rows = await this.streamed.after(place, READ_MAX, filter);
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

function isFiltering({ subject, type }: EventFilter): boolean {
  return subject !== undefined || type !== undefined;
}

/** The part of a batch that a stream wants; where there is none, only how far it has come. */
function filtered(
  batch: Batch | undefined,
  filter: EventFilter,
): Pick<Batch, 'to' | 'text'> | undefined {
  if (batch === undefined || batch.rows.length === 0 || !isFiltering(filter)) return batch;
  const { to, rows } = batch;
  const wanted = rows.filter(
    ({ subject, type }) =>
      (filter.subject ?? subject) === subject && (filter.type ?? type) === type,
  );
  return { to, text: wanted.length === 0 ? placeText(to) : eventsText(wanted) };
}

function parseCursor(cursor: string): EventPlace {
  const place = placeOf(cursor);
  if (place !== undefined) return place;
  throw queryRefused('validation', 'after', 'is not an event cursor');
}

function expired(restart: string): ProblemError {
  return new ProblemError(
    'cursor_expired',
    'Events after this cursor have been deleted, so some were missed. Continue from restart_cursor.',
    [{ pointer: '/after', detail: 'is older than the stored events', in: 'query' }],
    { restart_cursor: restart },
  );
}
