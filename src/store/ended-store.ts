/**
 * Observations in the order of the transactions in which they ended, and only those older than every transaction in progress,
 * so that none appears before a place that a reader has passed.
 */
import { sql } from 'kysely';
import type { Database } from './database.js';
import { OBSERVATION_COLUMNS, type ObservationRow } from './observation-store.js';

export interface EndedPlace {
  readonly xid: string;
  readonly seq: number;
}

export type EndedRow = ObservationRow & EndedPlace;

export class EndedStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** From the first on where the place is of another database: to be told twice harms nobody. */
  async after(place: EndedPlace, limit: number): Promise<EndedRow[]> {
    const { query } = this.database;
    const { rows } = await sql<{ ahead: boolean }>`
      select ${place.xid}::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) as ahead`.execute(query);
    const { xid, seq } = rows[0]?.ahead === true ? { xid: '0', seq: 0 } : place;
    return query
      .selectFrom('observations')
      .select(OBSERVATION_COLUMNS)
      .select(sql<string>`ended_xid::text`.as('xid'))
      .where(sql<boolean>`(ended_xid, seq) > (${xid}::xid8, ${seq}::bigint)`)
      .where(sql<boolean>`ended_xid < pg_snapshot_xmin(pg_current_snapshot())`)
      .orderBy(sql`observations.ended_xid`)
      .orderBy('seq')
      .limit(limit)
      .execute();
  }

  /** After a restore from another PostgreSQL, stored transaction ids can be ahead of ours. */
  async adopt(): Promise<void> {
    await sql`
      update observations set ended_xid = '0'
       where ended_xid >= pg_snapshot_xmax(pg_current_snapshot())`.execute(this.database.query);
  }
}
