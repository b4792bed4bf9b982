/** Opening a database: empty, by many at once, too new, and what becomes of its notices when the connection breaks. */
import t from 'tap';
import { openDatabase } from '../../src/store/database.js';
import { SchemaTooNewError } from '../../src/store/migrations/index.js';
import { connect, emptyDatabase, eventually, meddler } from '../instances.js';

t.test('instances that open an empty database at the same time all get its tables', async (t) => {
  for (let round = 0; round < 3; round += 1) {
    const url = await emptyDatabase(t);
    const opened = await Promise.all([1, 2, 3].map(() => connect(t, url)));
    for (const { pool } of opened) {
      const { rows } = await pool.query('select count(*) as count from hosts');
      t.equal(rows[0].count, 0);
    }
    const { rows } = await opened[0]!.pool.query('select count(*) as count from event_horizon');
    t.equal(rows[0].count, 1, 'made once');
  }
});

t.test('a database that a newer version made is refused and left as it is', async (t) => {
  const url = await emptyDatabase(t);
  const { pool } = await connect(t, url);
  await pool.query(`insert into kysely_migration values ('2031-01-01-later', now()::text)`);
  const refused = openDatabase(url);
  await t.rejects(refused, SchemaTooNewError);
  await t.rejects(refused, { message: /newer version of the service \(it has 2031-01-01-later\)/ });
});

t.test('a refused database leaves no connection', async (t) => {
  const url = await emptyDatabase(t);
  const { pool } = await connect(t, url);
  await pool.query(`insert into kysely_migration values ('2031-01-01-later', now()::text)`);
  const sql = await meddler(t, url);
  const count = async () => {
    const { rows } = await sql.query(
      `select count(*)::int as count from pg_stat_activity
        where datname = current_database() and application_name = 'pebslab'`,
    );
    return rows[0].count as number;
  };
  const before = await count();
  for (let round = 0; round < 3; round += 1) await t.rejects(openDatabase(url));
  t.equal(await eventually(count, (now) => now <= before), before);
});

t.test('notices come again after their connection broke, and listeners are told', async (t) => {
  const url = await emptyDatabase(t);
  const complaints: string[] = [];
  const database = await openDatabase(url, ({ message }) => complaints.push(message));
  t.teardown(() => database.close());
  const sql = await meddler(t, url);
  const heard: string[] = [];
  database.notices.listen('one', () => heard.push('one'));
  const stop = database.notices.listen('two', () => heard.push('two'));
  await sql.query(`notify pebslab, 'one'`);
  await eventually(
    async () => heard.length,
    (length) => length > 0,
  );
  t.strictSame(heard, ['one']);

  stop();
  const ended = await sql.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%'`,
  );
  t.equal(ended.rowCount, 1);
  await eventually(
    async () => heard.length,
    (length) => length > 1,
  );
  t.strictSame(heard, ['one', 'one'], 'as if there had been a notice: some may have been missed');
  t.equal(complaints.length, 1);
  await sql.query(`notify pebslab, 'one'`);
  await eventually(
    async () => heard.length,
    (length) => length > 2,
  );
  t.equal(heard.length, 3);
});

t.test('a notice of any name harms nobody, whoever sends it', async (t) => {
  const url = await emptyDatabase(t);
  const { notices } = await connect(t, url);
  const sql = await meddler(t, url);
  const names = ['error', 'newListener', '__proto__', 'constructor', '', 'x'.repeat(7000)];
  for (const name of names) await sql.query(`select pg_notify('pebslab', $1)`, [name]);
  const heard = notices.next('last', 10_000);
  await sql.query(`notify pebslab, 'last'`);
  t.equal(await heard, true, 'the ones before were heard, too');
  const own = notices.next('error', 10_000);
  await sql.query(`notify pebslab, 'error'`);
  t.equal(await own, true, 'and are names as good as others');
});

t.test('waiting for a notice ends with it, with the time, or with the signal', async (t) => {
  const { notices, pool } = await connect(t, await emptyDatabase(t));
  const never = new AbortController();
  const heard = notices.next('n', 60_000, never.signal);
  await pool.query(`notify pebslab, 'n'`);
  t.equal(await heard, true);
  t.equal(await notices.next('n', 10, never.signal), false);
  const given = new AbortController();
  const waits = notices.next('n', 60_000, given.signal);
  given.abort();
  t.equal(await waits, false);
  t.equal(await notices.next('n', 60_000, given.signal), false, 'also when given before');
});
