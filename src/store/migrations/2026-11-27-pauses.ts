/** Work can be paused. */
import { type Kysely, sql } from 'kysely';

export const pauses = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const table of ['explorations', 'campaigns']) {
      await sql
        .raw(
          `alter table ${table}
             add column pause_requested boolean not null default false,
             drop constraint ${table}_state_check,
             add constraint ${table}_state_check check
               (state in ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'))`,
        )
        .execute(db);
    }
  },
};
