/** Idempotency keys in PostgreSQL: whose turn it is, and what is left when a session dies. */
import t from 'tap';
import {
  forgetAnswers,
  IdempotencyStore,
  insertAnswer,
} from '../../src/store/idempotency-store.js';
import { connect, emptyDatabase, eventually, meddler } from '../instances.js';

const url = await emptyDatabase(t);
const database = await connect(t, url);
const sql = await meddler(t, url);

function openStore(): IdempotencyStore {
  const store = new IdempotencyStore(url, () => {});
  t.teardown(() => store.close());
  return store;
}

const here = openStore();
const there = openStore();
const key = (name: string, principal = 'ci') => ({ principal, key: name });
const answered = (name: string) =>
  insertAnswer(database.query, { ...key(name), fingerprint: 'print', answer: `"${name}"` });

/** The sessions that hold keys. */
async function sessions(): Promise<number[]> {
  const { rows } = await sql.query(
    `select pid from pg_stat_activity where datname = current_database() and application_name = 'pebslab keys'`,
  );
  return rows.map(({ pid }) => pid);
}

async function locks(): Promise<number> {
  const { rows } = await sql.query(
    `select count(*)::int as count from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and a.datname = current_database()`,
  );
  return rows[0].count;
}

t.test('a key is claimed once at a time, by whichever session', async (t) => {
  t.strictSame(await here.claim(key('a')), { state: 'claimed' });
  t.strictSame(await there.claim(key('a')), { state: 'in_flight' });
  t.strictSame(await there.claim(key('a', 'other')), { state: 'claimed' }, 'of its principal');
  await there.release(key('a', 'other'));
  await here.release(key('a'));
  t.strictSame(await there.claim(key('a')), { state: 'claimed' }, 'free without an answer');
  await there.release(key('a'));
});

t.test('claims that arrive together are told apart', async (t) => {
  await answered('b1');
  await there.claim(key('b2'));
  const claims = await Promise.all(['b0', 'b1', 'b2'].map((name) => here.claim(key(name))));
  t.strictSame(claims, [
    { state: 'claimed' },
    { state: 'answered', fingerprint: 'print', answer: '"b1"', claimed: true },
    { state: 'in_flight' },
  ]);
  await Promise.all([here.release(key('b0')), here.release(key('b1')), there.release(key('b2'))]);
  t.equal(await locks(), 0);
});

t.test('an answer that is stored is found while its key is still held', async (t) => {
  await here.claim(key('held'));
  t.strictSame(await here.find(key('held')), { state: 'in_flight' });
  await answered('held');
  const found = { state: 'answered', fingerprint: 'print', answer: '"held"', claimed: false };
  t.strictSame(await there.claim(key('held')), found);
  t.strictSame(await here.find(key('held')), found);
  t.equal(await locks(), 1, 'held once');
  await here.release(key('held'));
});

t.test('a session that dies gives its keys back, and the next claim makes a new one', async (t) => {
  t.match(await here.claim(key('c')), { state: 'claimed' });
  t.match(await there.claim(key('c')), { state: 'in_flight' });
  for (const pid of await sessions()) await sql.query('select pg_terminate_backend($1)', [pid]);
  await eventually(sessions, ({ length }) => length === 0);
  // The first claims may still meet the dying sessions.
  const claim = () => there.claim(key('c')).catch(() => ({ state: 'away' as const }));
  const got = await eventually(claim, ({ state }) => state !== 'away');
  t.match(got, { state: 'claimed' });
  await here.claim(key('d'));
  t.equal((await sessions()).length, 2, 'one for each store');
  await Promise.all([there.release(key('c')), here.release(key('d'))]);
  t.equal(await locks(), 0);
});

t.test('claims made while the connection breaks leave no second session behind', async (t) => {
  for (let round = 0; round < 5; round += 1) {
    await here.claim(key('warm')).catch(() => {});
    await here.release(key('warm'));
    for (const pid of await sessions()) await sql.query('select pg_terminate_backend($1)', [pid]);
    const names = Array.from({ length: 20 }, (_, at) => `e${round}-${at}`);
    for (const name of names) {
      await here.claim(key(name)).catch(() => {});
      await here.release(key(name));
    }
  }
  const pids = await eventually(sessions, ({ length }) => length <= 1);
  t.equal(pids.length, 1);
  t.equal(await locks(), 0, 'no key is left claimed');
});

t.test('a claim that fails in the middle keeps no key', async (t) => {
  await sql.query('begin');
  await sql.query(
    `insert into idempotency_keys values ('ci', 'g', 'print', '1', now() - interval '25 hours')`,
  );
  await sql.query('commit');
  await sql.query('begin');
  await sql.query(`select 1 from idempotency_keys where key = 'g' for update`);
  // The claim wants to delete the old answer, waits for the row, and is told to stop.
  const claim = t.rejects(here.claim(key('g')), { code: '57014' });
  await eventually(
    async () => {
      const { rows } = await sql.query(
        `select pg_cancel_backend(pid) from pg_stat_activity
          where application_name = 'pebslab keys' and datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length;
    },
    (count) => count > 0,
  );
  await claim;
  await sql.query('rollback');
  t.equal(await eventually(locks, (count) => count === 0), 0);
  t.match(await there.claim(key('g')), { state: 'claimed' });
  await there.release(key('g'));
});

t.test('an answer is kept for 24 hours', async (t) => {
  await answered('f');
  const age = (interval: string) =>
    sql.query(`update idempotency_keys set created_at = now() - $1::interval where key = 'f'`, [
      interval,
    ]);
  await age('23 hours 59 minutes');
  await forgetAnswers(database, 24, 1000, 1000);
  t.match(await here.claim(key('f')), { state: 'answered' });
  await here.release(key('f'));
  await age('24 hours 1 minute');
  t.match(await here.claim(key('f')), { state: 'claimed' }, 'even before it is swept away');
  await here.release(key('f'));
  await answered('f');
  await age('24 hours 1 minute');
  t.equal(await forgetAnswers(database, 24, 1000, 1000), 1);
});

t.test('the newest answers are kept, whatever their age', async (t) => {
  await sql.query('delete from idempotency_keys');
  const names = Array.from({ length: 50 }, (_, at) => `n${at}`);
  for (const name of names) await answered(name);
  const counts: number[] = [];
  do counts.push(await forgetAnswers(database, 24, 20, 12));
  while (counts.at(-1) === 12);
  t.strictSame(counts, [12, 12, 6], 'in portions');
  const { rows } = await sql.query('select key from idempotency_keys order by seq');
  t.strictSame(
    rows.map((row) => row.key),
    names.slice(30),
  );
});

t.test('a closed store leaves no session', async (t) => {
  await Promise.all([here.claim(key('h')), there.claim(key('i'))]);
  // As the last answers of a stopping service do.
  const released = here.release(key('h'));
  await Promise.all([here.close(), there.close()]);
  await released;
  await here.release(key('h'));
  t.strictSame(await eventually(sessions, ({ length }) => length === 0), []);
});
