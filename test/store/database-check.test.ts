/** Whether a database counts as usable: it must take a write. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { ReadinessSchema } from '../../schemas/health.js';
import { buildApp } from '../../src/app.js';
import { startEmbeddedPostgres } from '../../src/private-postgres/server.js';
import { openDatabase } from '../../src/store/database.js';
import { bodyOf } from '../helper.js';
import { connect, emptyDatabase, eventually, meddler, startInstance } from '../instances.js';

t.setTimeout(120_000);

t.test('one that may only be read is not ready, and is again when it may be written', async (t) => {
  const url = await emptyDatabase(t);
  const { app } = await startInstance(t, url, { role: 'api' });
  bodyOf(t, await app.inject('/readyz'), ReadinessSchema);
  const sql = await meddler(t, url);
  const setReadOnly = async (value: 'on' | 'off'): Promise<void> => {
    const name = new URL(url).pathname.slice(1);
    await sql.query(`alter database ${name} set default_transaction_read_only = ${value}`);
  };
  const endSessions = (): Promise<unknown> =>
    sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`,
    );
  const database = async (): Promise<object | undefined> => {
    const response = await app.inject('/readyz');
    const { checks } = bodyOf(t, response, ReadinessSchema, response.statusCode);
    return checks.find(({ name }) => name === 'database');
  };
  await setReadOnly('on');
  const wanted = { name: 'database', ok: false, detail: 'the database is read-only' };
  const refused = await eventually(
    async () => {
      const found = await database();
      // Sessions keep what they began with, one that was just beginning too.
      if (!isDeepStrictEqual(found, wanted)) await endSessions();
      return found;
    },
    (found) => isDeepStrictEqual(found, wanted),
  );
  t.strictSame(refused, wanted);
  t.equal((await app.inject('/readyz')).statusCode, 503);
  await setReadOnly('off');
  await endSessions();
  const status = async (): Promise<number> => (await app.inject('/readyz')).statusCode;
  t.equal(await eventually(status, (code) => code === 200), 200);
});

t.test('many who ask at once cause one write', async (t) => {
  const url = await emptyDatabase(t);
  const database = await connect(t, url);
  const sql = await meddler(t, url);
  // A write that takes as long as the lock on what it needs is held.
  await sql.query('begin');
  await sql.query('lock table pg_class in share mode');
  const checks = Array.from({ length: 30 }, () => database.check());
  const watch = await meddler(t, url);
  const waiting = async (): Promise<number> => {
    const { rows } = await watch.query(
      `select from pg_stat_activity
        where datname = current_database() and application_name = 'pebslab' and state = 'active'`,
    );
    return rows.length;
  };
  t.equal(await eventually(waiting, (count) => count > 0), 1);
  await sql.query('rollback');
  for (const state of await Promise.all(checks)) t.strictSame(state, { ok: true });
});

/** Writes to a file until its disk is full. PostgreSQL writes meanwhile, so the room that is left is not known before. */
const fillDisk = (path: string): void => {
  const chunk = Buffer.alloc(64 * 1024);
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, chunk);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
};

const forRoot = process.getuid?.() === 0 ? {} : { skip: 'only root can mount' };

t.test(
  'one whose disk is full is not ready, and is again when there is room',
  forRoot,
  async (t) => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'pebslab-full-disk-')));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', dir], { stdio: 'pipe' });
    } catch (error) {
      rmSync(dir, { recursive: true });
      return t.pass('no mounting here', { skip: String(error) });
    }
    const server = await startEmbeddedPostgres({ dataDir: dir, name: 'test' });
    const database = await openDatabase(server.url);
    const app = await buildApp({ storage: { database, isPrivate: true } });
    const status = async (): Promise<number> => (await app.inject('/readyz')).statusCode;
    const filler = join(dir, 'filler');
    try {
      await app.ready();
      t.equal(await status(), 200);
      fillDisk(filler);
      t.equal(await eventually(status, (code) => code === 503), 503);
      const { checks } = bodyOf(t, await app.inject('/readyz'), ReadinessSchema, 503);
      t.match(
        checks.find(({ name }) => name === 'database'),
        { ok: false, detail: "the database's disk is full" },
      );
      rmSync(filler);
      t.equal(await eventually(status, (code) => code === 200), 200);
    } finally {
      await app.close();
      await database.close();
      await server.stop();
      execFileSync('umount', ['-l', dir]);
      rmSync(dir, { recursive: true });
    }
  },
);
