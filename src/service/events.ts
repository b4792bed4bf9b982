/** Live events for clients: pages after a cursor, and a stream that goes on as things happen on any instance. */
import type { Event, EventPage } from '../../schemas/event.js';
import { ProblemError } from '../errors.js';
import type { Database } from '../store/database.js';
import { awayReason } from '../store/database-errors.js';
import { type EventPlace, type EventRow, EventStore } from '../store/event-store.js';

/** How long a quiet stream waits before it looks again, in case a notice was lost. */
const LOOK_MILLIS_MAX = 1000;
/** After a notice: its event shows once all older transactions have ended, which is soon. */
const LOOK_MILLIS_MIN = 20;
const READ_MAX = 200;

/** An event, or that some were missed: then the stream goes on from `id`. */
export type Followed = Event | { readonly type: 'reset'; readonly id: string };

export class Events {
  private readonly database: Database;
  private readonly store: EventStore;

  constructor(database: Database) {
    this.database = database;
    this.store = new EventStore(database);
  }

  /** Before anything is read. */
  open(): Promise<void> {
    return this.store.adopt();
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
    return after === undefined ? this.store.latest() : parseCursor(after);
  }

  /** Where a stream goes on; of a place that is none of ours everything may have been missed, which `follow` tells. */
  resume(last: string): EventPlace {
    return placeIn(last) ?? { xid: '0', seq: -1 };
  }

  /** What happens after a place, as it happens, until the signal. */
  async *follow(start: EventPlace, signal: AbortSignal): AsyncGenerator<Followed> {
    let place = start;
    let pause = LOOK_MILLIS_MIN;
    while (!signal.aborted) {
      const listening = new AbortController();
      const heard = this.database.notices.next('events', pause, signal, listening.signal);
      try {
        const rows = await this.read(place);
        if (!Array.isArray(rows)) {
          place = rows;
          yield { type: 'reset', id: cursorOf(place) };
        } else {
          for (const row of rows) {
            place = row;
            yield eventItem(row);
          }
          if (rows.length === READ_MAX) continue;
        }
        pause = (await heard) ? LOOK_MILLIS_MIN : Math.min(2 * pause, LOOK_MILLIS_MAX);
      } finally {
        listening.abort();
      }
    }
  }

  /** The events after a place, or where those that are kept begin. While the database is away nothing happens. */
  private async read(place: EventPlace): Promise<EventRow[] | EventPlace> {
    try {
      const rows = await this.store.after(place, READ_MAX);
      return rows === 'expired' ? await this.store.horizon() : rows;
    } catch (error) {
      if (awayReason(error) !== undefined) return [];
      throw error;
    }
  }
}

function eventItem(row: EventRow): Event {
  return {
    id: cursorOf(row),
    type: row.type as Event['type'],
    subject: row.subject,
    data: row.data as Event['data'],
    created_at: row.createdAt.toISOString(),
  };
}

function cursorOf({ xid, seq }: EventPlace): string {
  return Buffer.from(`${xid}.${seq}`).toString('base64url');
}

function placeIn(cursor: string): EventPlace | undefined {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, xid, seq] = /^([0-9]{1,19})\.([0-9]{1,15})$/.exec(text) ?? [];
  return xid === undefined || seq === undefined ? undefined : { xid, seq: Number(seq) };
}

function parseCursor(cursor: string): EventPlace {
  const place = placeIn(cursor);
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
