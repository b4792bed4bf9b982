/** The first tables. */
import { type Kysely, sql } from 'kysely';

export const first = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

const STATEMENTS = [
  // Rows of hosts are rewritten at every step: free space in the page keeps the new version beside the old one, and what is
  // written is too short-lived to be worth compressing, or moving out of the row.
  `create table hosts (
     id text primary key,
     seq bigint generated always as identity unique,
     version bigint not null,
     config jsonb not null,
     image text not null,
     tail text not null default '',
     created_at timestamptz not null default now()
   ) with (fillfactor = 40, toast_tuple_target = 8000,
           autovacuum_vacuum_scale_factor = 0.5, autovacuum_vacuum_threshold = 2000)`,
  `alter table hosts alter column image set storage external`,
  `alter table hosts alter column tail set storage external`,
  // Deleted with its host by the statement that deletes the host: a foreign key would look at the host once more for
  // every row written.
  `create table host_traces (
     host_id text not null,
     last_index bigint not null,
     entries text not null,
     primary key (host_id, last_index)
   )`,
  `create table idempotency_keys (
     principal text not null,
     key text not null,
     fingerprint text not null,
     answer text not null,
     created_at timestamptz not null default now(),
     primary key (principal, key)
   )`,
  `create index idempotency_keys_age on idempotency_keys (created_at)`,

  `create table events (
     xid xid8 not null default pg_current_xact_id(),
     seq bigint generated always as identity,
     type text not null,
     subject text not null,
     data jsonb not null,
     created_at timestamptz not null default now(),
     primary key (xid, seq)
   )`,
  `create index events_age on events (created_at)`,
  `create table event_horizon (xid xid8 not null, seq bigint not null)`,
  `insert into event_horizon values ('0', 0)`,
  `create function tell_events() returns trigger language plpgsql as $$
   begin
     perform pg_notify('pebslab', 'events');
     return null;
   end $$`,
  `create trigger tell_events after insert on events for each row execute function tell_events()`,

  ...['explorations', 'campaigns'].flatMap((table) => [
    `create table ${table} (
       id text primary key,
       seq bigint generated always as identity unique,
       state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
       request jsonb not null,
       resource jsonb not null,
       cancel_requested boolean not null default false,
       attempts integer not null default 0,
       created_at timestamptz not null default now(),
       finished_at timestamptz
     )`,
    `create index ${table}_unfinished on ${table} (seq) where finished_at is null`,
    `create index ${table}_finished on ${table} (finished_at) where finished_at is not null`,
  ]),
  `create table campaign_chunks (
     campaign_id text not null references campaigns on delete cascade,
     n integer not null,
     cell integer not null,
     first_walk bigint not null,
     walks bigint not null,
     result jsonb,
     violated boolean not null default false,
     done_at timestamptz,
     primary key (campaign_id, n)
   )`,
  `create table campaign_violations (
     campaign_id text primary key references campaigns on delete cascade,
     violations jsonb not null
   )`,

  // A key is claimed by a lock of the session and released with it, so a dead process leaves nothing behind. The answer is
  // looked up after the lock was tried, in a snapshot of its own, so an answer stored just before is seen. A key that
  // another request holds may have its answer, too: it is still on its way to that request's client.
  `create function claim_keys(principals text[], keys text[])
   returns table (claimed boolean, fingerprint text, answer text) language plpgsql as $$
   begin
     for n in 1 .. cardinality(keys) loop
       claimed := pg_try_advisory_lock(hashtextextended(principals[n] || chr(1) || keys[n], 0));
       if claimed then
         delete from idempotency_keys i
          where i.principal = principals[n] and i.key = keys[n]
            and i.created_at < now() - interval '24 hours';
       end if;
       fingerprint := null;
       answer := null;
       select i.fingerprint, i.answer into fingerprint, answer
         from idempotency_keys i where i.principal = principals[n] and i.key = keys[n];
       return next;
     end loop;
   end $$`,
  `create function release_keys(principals text[], keys text[]) returns void language plpgsql as $$
   begin
     for n in 1 .. cardinality(keys) loop
       perform pg_advisory_unlock(hashtextextended(principals[n] || chr(1) || keys[n], 0));
     end loop;
   end $$`,
];
