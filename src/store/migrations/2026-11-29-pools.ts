/** Pools of machines, and what they are lent for: jobs, their runs, and the attempts at each run. */
import { type Kysely, sql } from 'kysely';

export const pools = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

const STATEMENTS = [
  `create table pools (
     name text primary key,
     seq bigint generated always as identity unique,
     title text,
     lease_seconds integer not null,
     draining boolean not null,
     created_at timestamptz not null default now()
   )`,
  `create table pool_machines (
     pool text not null references pools on delete cascade,
     name text not null,
     seq bigint generated always as identity unique,
     facts jsonb not null default '{}',
     identity jsonb,
     labels text[] not null default '{}',
     created_at timestamptz not null default now(),
     seen_at timestamptz,
     primary key (pool, name)
   )`,
  `create table pool_jobs (
     id text primary key,
     seq bigint generated always as identity unique,
     pool text not null references pools on delete cascade,
     requires jsonb not null,
     run jsonb not null,
     copies integer not null,
     timeout_seconds integer not null,
     priority integer not null,
     unfinished integer not null,
     is_cancelled boolean not null default false,
     created_at timestamptz not null default now(),
     finished_at timestamptz
   )`,
  `create index pool_jobs_of on pool_jobs (pool, seq)`,
  `create index pool_jobs_finished on pool_jobs (finished_at) where finished_at is not null`,
  // The lease is in the row of the run: its fence is the fencing token of the newest lease, and how many there were.
  `create table pool_runs (
     id text primary key,
     seq bigint generated always as identity unique,
     pool text not null,
     job_id text not null references pool_jobs on delete cascade,
     n integer not null,
     priority integer not null,
     state text not null default 'queued' check (state in ('queued', 'leased', 'finished', 'cancelled')),
     fence integer not null default 0,
     machine text,
     acquired_at timestamptz,
     renewed_at timestamptz,
     expires_at timestamptz,
     result text,
     error_code text,
     observed text,
     queued_at timestamptz not null default clock_timestamp(),
     finished_at timestamptz
   )`,
  `create index pool_runs_of on pool_runs (job_id, n)`,
  `create index pool_runs_queued on pool_runs (pool, priority desc, seq) where state = 'queued'`,
  `create index pool_runs_expiring on pool_runs (expires_at) where state = 'leased'`,
  // A machine holds one lease at most, whatever two instances are asked for at once.
  `create unique index pool_runs_held on pool_runs (pool, machine) where state = 'leased'`,
  `create table pool_attempts (
     run_id text not null references pool_runs on delete cascade,
     fence integer not null,
     machine text not null,
     state text not null default 'held' check (state in ('held', 'completed', 'expired', 'reset')),
     result text,
     error_code text,
     acquired_at timestamptz not null default now(),
     ended_at timestamptz,
     reported_at timestamptz,
     primary key (run_id, fence)
   )`,
  `create index observations_of_pool on observations ((about ->> 'pool'), (about ->> 'machine'))
     where about ->> 'pool' is not null`,
];
