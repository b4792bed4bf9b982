/** The process in environments that fail: it says in a sentence what is wrong, and never the password. */
import t from 'tap';
import { connect, emptyDatabase } from '../instances.js';
import { refuses } from './process.js';

t.test('a database that nobody answers for', async (t) => {
  for (const host of ['127.0.0.1', 'localhost']) {
    const url = `postgres://lab:hunter2@${host}:9/lab`;
    await refuses(t, { DATABASE_URL: url }, /database.*ECONNREFUSED/);
  }
  await refuses(
    t,
    { DATABASE_URL: 'postgres://lab:hunter2@nowhere.invalid/lab' },
    /database.*nowhere\.invalid/,
  );
});

t.test('a wrong password, and a database that does not exist', async (t) => {
  const url = new URL(await emptyDatabase(t));
  const right = url.password;
  url.password = 'hunter2';
  await refuses(t, { DATABASE_URL: url.href }, /password authentication failed/);
  url.password = right;
  url.pathname = '/hunter_gatherers';
  await refuses(t, { DATABASE_URL: url.href }, /"hunter_gatherers" does not exist/);
});

t.test('a database of a newer version', async (t) => {
  const url = await emptyDatabase(t);
  const { pool } = await connect(t, url);
  await pool.query(`insert into kysely_migration values ('2031-01-01-later', now()::text)`);
  await refuses(t, { DATABASE_URL: url }, /newer version of the service/);
});

t.test('a part of the service without the database to share', async (t) => {
  for (const ROLE of ['api', 'worker']) await refuses(t, { ROLE }, /ROLE .* needs DATABASE_URL/);
});
