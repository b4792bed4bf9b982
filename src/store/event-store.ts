/**
 * Live events. They are read in the order of the transactions that wrote them, and only those older than every transaction
 * still under way: so none can appear before a place that a reader has passed.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.js';
import type { Tables } from './tables.js';

export interface EventInput {
  readonly type: string;
  /** The id of what it is about. */
  readonly subject: string;
  readonly data: object;
}

/** A place between two events. */
export interface EventPlace {
  readonly xid: string;
  readonly seq: number;
}

export interface EventRow extends EventPlace, EventInput {
  readonly createdAt: Date;
}

/** Writes events in the transaction that makes them true. */
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

export class EventStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** The events after a place, oldest first; `expired` where some of them have been deleted, or it is no place of ours. */
  async after({ xid, seq }: EventPlace, limit: number): Promise<EventRow[] | 'expired'> {
    const { rows } = await sql<EventSelected>`
      select e.xid::text, e.seq, e.type, e.subject, e.data, e.created_at
        from events e
       where (e.xid, e.seq) > (${xid}::xid8, ${seq}::bigint)
         and e.xid < pg_snapshot_xmin(pg_current_snapshot())
       order by e.xid, e.seq
       limit ${limit}`.execute(this.database.query);
    // Looked at after the events were read: what was deleted meanwhile is noticed.
    const { rows: expired } = await sql`
      select from event_horizon h
       where (${xid}::xid8, ${seq}::bigint) < (h.xid, h.seq)
          or ${xid}::xid8 >= pg_snapshot_xmax(pg_current_snapshot())`.execute(this.database.query);
    if (expired.length > 0) return 'expired';
    return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: created_at }));
  }

  /** The place after the newest event that readers can see. */
  async latest(): Promise<EventPlace> {
    const { rows } = await sql<EventPlace>`
      select xid::text, seq from events
       where xid < pg_snapshot_xmin(pg_current_snapshot())
       order by xid desc, seq desc limit 1`.execute(this.database.query);
    return rows[0] ?? this.horizon();
  }

  /** Where the events that are kept begin. */
  async horizon(): Promise<EventPlace> {
    const { rows } = await sql<EventPlace>`select xid::text, seq from event_horizon`.execute(
      this.database.query,
    );
    return rows[0] ?? { xid: '0', seq: 0 };
  }

  /**
   * Where the database was restored from another PostgreSQL, that one's transactions lie in the future of this one: its
   * events go, and readers begin anew.
   */
  async adopt(): Promise<void> {
    await sql`
      with restored as (
        delete from events where xid >= pg_snapshot_xmax(pg_current_snapshot())
      )
      update event_horizon set xid = '0', seq = 0
       where xid >= pg_snapshot_xmax(pg_current_snapshot())`.execute(this.database.query);
  }

  /** Deletes events that are older, so many at most, and remembers up to where. Returns how many. */
  async forget(hours: number, limit: number): Promise<number> {
    const { rows } = await sql<{ count: number }>`
      with gone as (
        delete from events
         where (xid, seq) in (
           select xid, seq from events
            where created_at < now() - make_interval(secs => ${hours * 3600})
              and xid < pg_snapshot_xmin(pg_current_snapshot())
            order by xid, seq limit ${limit})
        returning xid, seq
      ), newest as (
        select xid, seq from gone order by xid desc, seq desc limit 1
      ), moved as (
        update event_horizon h set xid = n.xid, seq = n.seq
          from newest n where (n.xid, n.seq) > (h.xid, h.seq)
      )
      select count(*) as count from gone`.execute(this.database.query);
    return rows[0]?.count ?? 0;
  }
}

interface EventSelected extends EventPlace, EventInput {
  readonly created_at: Date;
}
