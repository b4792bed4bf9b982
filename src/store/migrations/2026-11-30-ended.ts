/** The transaction in which an observation ended: in this order readers see them, and none appears behind one that was read. */
import { type Kysely, sql } from 'kysely';

export const ended = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `alter table observations add column ended_xid xid8`,
  `update observations set ended_xid = '0' where state = 'done'`,
  `create index observations_ended on observations (ended_xid, seq) where ended_xid is not null`,
];
