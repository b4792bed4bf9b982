/** Runs in the order in which they became available, as pollers of PULL_LABS ask for them. */
import { type Kysely, sql } from 'kysely';

export const availableRuns = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`create index pool_runs_available on pool_runs (queued_at, id) where state = 'queued'`.execute(
      db,
    );
  },
};
