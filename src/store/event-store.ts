/**
 * Live events. They are read in the order of their transactions, and only those older than every transaction in progress, so
 * none can appear before a place that a reader has passed.
 */
import { type Kysely, sql } from 'kysely';
import type { Tables } from './tables.js';

export interface EventInput {
  readonly type: string;
  /** The id of the resource it concerns. */
  readonly subject: string;
  readonly data: object;
}

export function eventOf(type: string, subject: string, data: object = {}): EventInput {
  return { type, subject, data };
}

/** A place between two events. */
export interface EventPlace {
  readonly xid: string;
  readonly seq: number;
}

export interface EventRow extends EventPlace, EventInput {
  readonly createdAt: Date;
}

/** Which events to read; all where nothing is set. */
export interface EventFilter {
  readonly subject?: string | undefined;
  readonly type?: string | undefined;
}

/** Writes events in the transaction of the change they report. */
export async function insertEvents(
  trx: Kysely<Tables>,
  events: readonly EventInput[],
): Promise<void> {
  if (events.length === 0) return;
  await trx
    .insertInto('events')
    .values(
      events.map(({ type, subject, data }) => ({ type, subject, data: JSON.stringify(data) })),
    )
    .execute();
}

/**
 * A test checks with `explain` that these read the primary key, or the index of what they select by, and never sort the table. `order by e.xid` sorts by the number;
 * without `e.` it would sort by the selected text, and '999' comes after '1167'.
 */
export const EVENT_STATEMENTS = {
  after: (
    { xid, seq }: EventPlace,
    limit: number,
    { subject, type }: EventFilter = {},
  ) => sql<EventSelected>`
    select e.xid::text, e.seq, e.type, e.subject, e.data, e.created_at
      from events e
     where (e.xid, e.seq) > (${xid}::xid8, ${seq}::bigint)
       and e.xid < pg_snapshot_xmin(pg_current_snapshot())
       ${subject === undefined ? sql`` : sql`and e.subject = ${subject}`}
       ${type === undefined ? sql`` : sql`and e.type = ${type}`}
     order by e.xid, e.seq
     limit ${limit}`,

  latest: () => sql<EventPlace>`
    select e.xid::text, e.seq
      from events e
     where e.xid < pg_snapshot_xmin(pg_current_snapshot())
     order by e.xid desc, e.seq desc
     limit 1`,

  /** Looks only at the oldest `limit` events, so the cost does not depend on how many are kept. */
  forget: (hours: number, kept: number, limit: number) => sql<{ count: number }>`
    with newest as (
      select e.seq from events e order by e.xid desc, e.seq desc limit 1
    ), oldest as (
      select e.ctid, e.seq, e.created_at
        from events e
       where e.xid < pg_snapshot_xmin(pg_current_snapshot())
       order by e.xid, e.seq
       limit ${limit}
    ), gone as (
      delete from events e
       where e.ctid = any (array(
         select o.ctid from oldest o
          where o.created_at < now() - make_interval(secs => ${hours * 3600})
             or o.seq <= (select n.seq from newest n) - ${kept}::bigint))
      returning e.xid, e.seq
    ), last as (
      select g.xid, g.seq from gone g order by g.xid desc, g.seq desc limit 1
    ), moved as (
      update event_horizon h set xid = l.xid, seq = l.seq
        from last l where (l.xid, l.seq) > (h.xid, h.seq)
    )
    select count(*) as count from gone`,
};

export class EventStore {
  private readonly query: Kysely<Tables>;

  constructor(query: Kysely<Tables>) {
    this.query = query;
  }

  /** The events after a place, oldest first; `expired` if some have been deleted or the place is unknown. */
  async after(
    place: EventPlace,
    limit: number,
    filter?: EventFilter,
  ): Promise<EventRow[] | 'expired'> {
    const { xid, seq } = place;
    const { rows } = await EVENT_STATEMENTS.after(place, limit, filter).execute(this.query);
    // Checked after reading the events, so that deletions meanwhile are noticed.
    const { rows: expired } = await sql`
      select from event_horizon h
       where (${xid}::xid8, ${seq}::bigint) < (h.xid, h.seq)
          or ${xid}::xid8 >= pg_snapshot_xmax(pg_current_snapshot())`.execute(this.query);
    if (expired.length > 0) return 'expired';
    return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: created_at }));
  }

  /** The place after the newest visible event. */
  async latest(): Promise<EventPlace> {
    const { rows } = await EVENT_STATEMENTS.latest().execute(this.query);
    return rows[0] ?? this.horizon();
  }

  /** The oldest place in the stored events. */
  async horizon(): Promise<EventPlace> {
    const { rows } = await sql<EventPlace>`select xid::text, seq from event_horizon`.execute(
      this.query,
    );
    return rows[0] ?? { xid: '0', seq: 0 };
  }

  /**
   * After a restore from another PostgreSQL, stored transaction ids can be ahead of ours: drop those events and restart
   * readers.
   */
  async adopt(): Promise<void> {
    await sql`
      with restored as (
        delete from events where xid >= pg_snapshot_xmax(pg_current_snapshot())
      )
      update event_horizon set xid = '0', seq = 0
       where xid >= pg_snapshot_xmax(pg_current_snapshot())`.execute(this.query);
  }

  /** Deletes at most `limit` events that are too old or too many, and moves the horizon. Returns how many. */
  async forget(hours: number, kept: number, limit: number): Promise<number> {
    const { rows } = await EVENT_STATEMENTS.forget(hours, kept, limit).execute(this.query);
    return rows[0]?.count ?? 0;
  }
}

interface EventSelected extends EventPlace, EventInput {
  readonly created_at: Date;
}
