/** Bounds the number of events and idempotency answers: the oldest are found by their order, not by their age. */
import { type Kysely, sql } from 'kysely';

export const kept = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

const STATEMENTS = [
  `alter table idempotency_keys add column seq bigint generated always as identity`,
  `create index idempotency_keys_seq on idempotency_keys (seq)`,
  `drop index idempotency_keys_age`,
  `drop index events_age`,
];
