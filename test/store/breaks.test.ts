/** Connections that break at bad moments: the work on them fails, and nothing else does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import { build, freshStorage, problemOf } from '../helper.js';

const { database } = await freshStorage(t);

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
