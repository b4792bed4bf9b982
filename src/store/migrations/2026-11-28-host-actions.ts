/** The actions that made a host what it is, written with each change and never changed. */
import { type Kysely, sql } from 'kysely';

export const hostActions = {
  async up(db: Kysely<unknown>): Promise<void> {
    // Deleted with its host by the statement that deletes the host, as its trace is.
    await sql
      .raw(
        `create table host_actions (
           host_id text not null,
           last_index bigint not null,
           actions text not null,
           primary key (host_id, last_index)
         )`,
      )
      .execute(db);
  },
};
