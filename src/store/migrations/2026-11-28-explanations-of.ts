/** An explanation is one of an observation, and goes with it. */
import { type Kysely, sql } from 'kysely';

export const explanationsOf = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

const STATEMENTS = [
  `delete from explanations
    where not exists (select from observations o where o.id = resource ->> 'observation')`,
  `alter table explanations add column observation text
     generated always as (resource ->> 'observation') stored references observations (id) on delete cascade`,
  `create index explanations_of on explanations (observation, seq)`,
];
