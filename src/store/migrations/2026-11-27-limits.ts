/** The owner of work, its lane in the queue, and the runs of the service that have claimed it and not given it back. */
import { type Kysely, sql } from 'kysely';

export const limits = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

const LIVES = `add column lives text[] not null default '{}'`;

const STATEMENTS = [
  ...['explorations', 'campaigns'].map(
    (table) =>
      `alter table ${table}
         add column owner text not null default '',
         add column lane text not null default 'work',
         ${LIVES}`,
  ),
  `alter table campaign_chunks ${LIVES}`,
];
