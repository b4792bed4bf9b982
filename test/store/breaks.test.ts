/** Connections that break at bad moments: the work on them fails, and nothing else does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import t, { type Test } from 'tap';
import { connectionOptions, type Database } from '../../src/store/database.js';
import { IdempotencyStore } from '../../src/store/idempotency-store.js';
import { Session } from '../../src/store/session.js';
import { build, freshStorage, problemOf } from '../helper.js';

const { database } = await freshStorage(t);
const KEY = { principal: '', key: 'key' };

function session(t: Test, { url }: Database, millisMax?: number): Session {
  const options = { ...connectionOptions(url), ...(millisMax && { query_timeout: millisMax }) };
  const made = new Session(() => new pg.Client(options));
  t.after(() => made.close());
  return made;
}

async function pidOf(session: Session): Promise<number> {
  const { rows } = await session.ask<{ pid: number }>({ text: 'select pg_backend_pid() as pid' });
  return rows[0]!.pid;
}

async function terminate(pid: number): Promise<void> {
  await database.pool.query('select pg_terminate_backend($1)', [pid]);
}

t.test('a connection that breaks between two queries of a transaction fails it', async (t) => {
  await t.rejects(
    database.query.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
      await terminate(rows[0]!.pid);
      // Its end arrives while nothing is asked, which would end a process that does not listen.
      await sleep(100);
      await sql`select 1`.execute(trx);
    }),
  );
  t.strictSame(await database.check(), { ok: true }, 'the next one works');
});

t.test('a session that was lost is opened once again, and stays', async (t) => {
  const one = session(t, database);
  await terminate(await pidOf(one));
  await sleep(100);
  const second = await pidOf(one);
  await sleep(100);
  t.equal(await pidOf(one), second, 'the end of the first took nothing from the second');
});

t.test('what a session asked in vain does not stay locked', async (t) => {
  const one = session(t, database, 200);
  const lock = "select pg_advisory_lock(hashtextextended(chr(1) || 'key', 0)), pg_sleep(0.5)";
  await t.rejects(one.ask({ text: lock }), /timeout/);
  const store = new IdempotencyStore(() => new pg.Client(connectionOptions(database.url)));
  t.after(() => store.close());
  const deadline = performance.now() + 10_000;
  let { state } = await store.claim(KEY);
  while (state === 'in_flight' && performance.now() < deadline) {
    await sleep(50);
    ({ state } = await store.claim(KEY));
  }
  t.equal(state, 'claimed', 'the key is free again');
});

t.test('a key that is answered elsewhere meanwhile refuses its request only', async (t) => {
  const app = await build(t, { storage: { database, isPrivate: true } });
  const post = (url: string, payload: object, headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url, payload, headers });
  const keyed = { 'idempotency-key': 'taken' };
  const make = { cpu_model: 'emerald-rapids', kernel: 'upstream-base' };
  const { id } = (await post('/v1/hosts', make)).json();
  const vcpu = (await post(`/v1/hosts/${id}/vcpus`, {})).json();
  const step = `/v1/hosts/${id}/vcpus/${vcpu.id}/transitions`;
  // As an instance does whose lock was lost with its session while it worked.
  await sql`create function answer_first() returns trigger language plpgsql as $$
    begin
      if new.key like 'taken%' then
        raise unique_violation using constraint = 'idempotency_keys_pkey';
      end if;
      return new;
    end $$`.execute(database.query);
  await sql`create trigger answer_first before insert on idempotency_keys
    for each row execute function answer_first()`.execute(database.query);
  const answers = await Promise.all([
    post(step, { kind: 'round_trip' }),
    post(step, { kind: 'round_trip' }, keyed),
    post(step, { kind: 'round_trip' }),
  ]);
  const [first, taken, last] = answers as [
    (typeof answers)[0],
    (typeof answers)[0],
    (typeof answers)[0],
  ];
  t.strictSame([first.statusCode, last.statusCode], [200, 200], 'its neighbours are answered');
  problemOf(t, taken, 'idempotency_key_in_flight');
  t.equal(taken.headers['retry-after'], '1');
  problemOf(
    t,
    await post('/v1/hosts', make, { 'idempotency-key': 'taken-too' }),
    'idempotency_key_in_flight',
  );
  const { round_trips } = (await app.inject(`/v1/hosts/${id}/metrics`)).json();
  t.equal(round_trips, 2, 'and what was refused changed nothing');
});
