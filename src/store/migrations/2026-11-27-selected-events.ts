/** Events of one subject, or of one type, in order. */
import { type Kysely, sql } from 'kysely';

export const selectedEvents = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const column of ['subject', 'type']) {
      await sql.raw(`create index events_${column} on events (${column}, xid, seq)`).execute(db);
    }
  },
};
