/** The texts of real machines: what is known of each, and the text itself in compressed pieces. */
import { type Kysely, sql } from 'kysely';

export const texts = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

const STATEMENTS = [
  `create table observations (
     id text primary key,
     seq bigint generated always as identity unique,
     state text not null check (state in ('arriving', 'reading', 'done', 'failed')),
     seen_at timestamptz not null default now(),
     about jsonb not null,
     answer jsonb,
     error text,
     text_bytes bigint not null default 0,
     stored_bytes bigint not null default 0,
     crc bigint not null default 0,
     created_at timestamptz not null default now(),
     finished_at timestamptz
   )`,
  `create index observations_unfinished on observations (seen_at) where finished_at is null`,
  `create table observation_pieces (
     observation_id text not null references observations on delete cascade,
     n integer not null,
     first_line bigint not null,
     first_record bigint not null,
     records integer not null,
     record_check bigint not null,
     text bytea not null,
     primary key (observation_id, n)
   )`,
  // It is compressed already.
  `alter table observation_pieces alter column text set storage external`,
];
