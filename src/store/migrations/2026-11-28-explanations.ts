/** Explanations of recordings: work like explorations. They may outlive the observation that they read. */
import { type Kysely, sql } from 'kysely';

export const explanations = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

const STATEMENTS = [
  `create table explanations (
     id text primary key,
     seq bigint generated always as identity unique,
     state text not null check
       (state in ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')),
     request jsonb not null,
     resource jsonb not null,
     cancel_requested boolean not null default false,
     pause_requested boolean not null default false,
     attempts integer not null default 0,
     owner text not null default '',
     lane text not null default 'work',
     lives text[] not null default '{}',
     created_at timestamptz not null default now(),
     finished_at timestamptz
   )`,
  `create index explanations_unfinished on explanations (seq) where finished_at is null`,
  `create index explanations_finished on explanations (finished_at) where finished_at is not null`,
];
