/** The embedded PostgreSQL, with real servers, real kills and, for root, real mounts. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { findPackage } from '../../src/private-postgres/binaries.js';
import { copyOutOfReach } from '../../src/private-postgres/binaries-copy.js';
import { linkLibraries } from '../../src/private-postgres/library-links.js';
import { LogFile } from '../../src/private-postgres/log-file.js';
import {
  DataDirError,
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/private-postgres/server.js';
import { type Account, canReach, serverAccount } from '../../src/private-postgres/user.js';

const MODULE = new URL('../../src/private-postgres/server.js', import.meta.url).href;
const IS_ROOT = process.getuid?.() === 0;
const HAS_PROC = existsSync('/proc/self/cwd');
// A dozen databases are made, which a busy disk may take its time for.
t.setTimeout(300_000);

const forRoot = IS_ROOT ? {} : { skip: 'only root has this problem' };

/** Removed when the test ends, after whatever still runs in it. mkdtemp makes it 0700. */
function makeDir(t: Test): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'pebslab-postgres-test-')));
  t.after(() => {
    for (const pid of postgresIn(dir)) kill(pid);
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 });
  });
  return dir;
}

async function start(t: Test, dataDir: string, lines: string[] = []): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataDir,
    name: 'lab',
    onLog: (line) => lines.push(line),
  });
  t.after(() => server.stop());
  return server;
}

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/** The service's own process: prints the URL, or why there is none, and stays. */
const SERVICE = `
const { startEmbeddedPostgres } = await import(process.argv[1]);
const started = startEmbeddedPostgres({ dataDir: process.argv[2], name: 'lab' });
await started.then(({ url }) => console.log(url), (error) => console.log(String(error)));
setInterval(() => {}, 1e6);`;

function spawnService(t: Test, dataDir: string, account?: Account): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SERVICE, MODULE, dataDir], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = await once(child.stdout!, 'data');
  return String(chunk).trim();
}

async function killService(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

/** PostgreSQL's processes that work below a directory. */
function postgresIn(dir: string): number[] {
  if (!HAS_PROC) return [];
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const isPostgres = /^(postgres|initdb)$/m.test(readFileSync(`/proc/${pid}/comm`, 'utf8'));
        return isPostgres && readlinkSync(`/proc/${pid}/cwd`).startsWith(dir);
      } catch {
        // It ended while we looked, or it is no process.
        return false;
      }
    });
}

function skip(t: Test, reason: string): void {
  t.pass(reason, { skip: reason });
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(20);
}

function postmasterOf(dir: string): number {
  return Number(readFileSync(join(dir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
}

async function refusal(dataDir: string): Promise<string> {
  const error = await startEmbeddedPostgres({ dataDir, name: 'lab' }).then(
    async (server) => server.stop(),
    (error: unknown) => error,
  );
  return error instanceof DataDirError ? error.message : `not a DataDirError: ${error}`;
}

t.test('a start after a stop finds the data, and a password keeps others out', async (t) => {
  const dir = makeDir(t);
  const lines: string[] = [];
  const first = await start(t, join(dir, 'new', 'data'), lines);
  const data = join(dir, 'new', 'data');
  await query(first.url, `create table kept as select 'Ärger' as word`);
  t.equal(statSync(join(data, 'postgres')).mode & 0o777, 0o700);
  t.equal(statSync(join(data, 'postgres-password')).mode & 0o777, 0o600);
  t.match(new URL(first.url), { hostname: '127.0.0.1', pathname: '/lab', password: /.{32}/ });
  await t.rejects(query(first.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1'), { code: '28P01' });
  const facts = `select current_setting('fsync'), current_setting('synchronous_commit'),
    current_setting('server_encoding'), current_setting('unix_socket_directories'),
    current_setting('listen_addresses'), datlocale from pg_database where datname = 'lab'`;
  t.strictSame(await query(first.url, facts), [['on', 'on', 'UTF8', '', '127.0.0.1', 'C.UTF-8']]);
  await Promise.all([first.stop(), first.stop()]);
  t.strictSame(postgresIn(dir), [], 'nothing runs after a stop');
  t.match(lines.join('\n'), /database system is ready .*database system is shut down/s);

  const second = await start(t, data);
  t.strictSame(await query(second.url, 'select word from kept'), [['Ärger']]);
});

t.test('a second service on the same directory is refused', async (t) => {
  const dir = makeDir(t);
  const server = await start(t, dir);
  const expected = `The data directory ${dir} is in use by another service: stop that one or choose another directory.`;
  t.equal(await refusal(dir), expected, 'in the same process');
  t.equal(await firstLine(spawnService(t, dir)), `DataDirError: ${expected}`, 'in another');
  t.strictSame(await query(server.url, 'select 1'), [[1]], 'and does no harm');

  await server.stop();
  const [one, two] = await Promise.allSettled([start(t, dir), start(t, dir)]);
  t.strictSame(
    [one.status, two.status].sort(),
    ['fulfilled', 'rejected'],
    'one of two racers wins',
  );
});

t.test('a killed service leaves a server that the next one takes over', async (t) => {
  const dir = makeDir(t);
  const service = spawnService(t, dir);
  const url = await firstLine(service);
  await query(url, 'create table kept as select 42 as answer');
  const pid = postmasterOf(dir);
  await killService(service);
  t.strictSame(await query(url, 'select answer from kept'), [[42]], 'it lives on');

  const next = await start(t, dir);
  t.equal(next.url, url);
  t.equal(postmasterOf(dir), pid);
  t.strictSame(await query(next.url, 'select answer from kept'), [[42]]);

  kill(pid);
  await until(() =>
    query(next.url, 'select 1').then(
      () => true,
      () => false,
    ),
  );
  t.not(postmasterOf(dir), pid, 'and watches over it like over its own');
  await next.stop();
  t.strictSame(postgresIn(dir), []);
});

t.test('a service and a server killed together leave nothing in the way', async (t) => {
  const dir = makeDir(t);
  const service = spawnService(t, dir);
  const url = await firstLine(service);
  await query(url, 'create table kept as select 42 as answer');
  kill(postmasterOf(dir));
  await killService(service);
  const next = await start(t, dir);
  t.strictSame(await query(next.url, 'select answer from kept'), [[42]]);
  await next.stop();

  const stale = [process.pid, join(dir, 'postgres'), 1, 20000, '', '127.0.0.1', '', 'ready'];
  writeFileSync(join(dir, 'postgres', 'postmaster.pid'), `${stale.join('\n')}\n`);
  const last = await start(t, dir);
  t.strictSame(await query(last.url, 'select answer from kept'), [[42]], 'nor does a used number');
});

t.test('a leftover that dies while it is looked at does not end the service', async (t) => {
  const dir = makeDir(t);
  const service = spawnService(t, dir);
  await firstLine(service);
  await killService(service);
  const pid = postmasterOf(dir);
  // It takes connections and does not answer: the next service waits for it two seconds.
  process.kill(pid, 'SIGSTOP');
  const next = spawnService(t, dir);
  const found = firstLine(next);
  await sleep(1_000);
  kill(pid);
  const ended = once(next, 'exit').then(([code]) => `ended with ${code}`);
  t.match(await Promise.race([found, ended]), /^postgres:/);
});

t.test('a server that is killed comes back on its port', async (t) => {
  const dir = makeDir(t);
  const lines: string[] = [];
  const server = await start(t, dir, lines);
  const pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => {});
  await pool.query('create table kept as select 42 as answer');
  for (const round of [1, 2]) {
    const runs = () =>
      lines.filter((line) => line.startsWith('PostgreSQL is running again')).length;
    kill(postmasterOf(dir));
    await until(() => runs() === round);
    const ask = () => pool.query('select answer from kept');
    await until(() =>
      ask().then(
        ({ rows }) => rows[0].answer === 42,
        () => false,
      ),
    );
  }
  t.match(lines.join('\n'), /PostgreSQL ended \(SIGKILL\), starting it again on port \d+/);
  await pool.end();

  kill(postmasterOf(dir));
  await server.stop();
  // What a killed server leaves behind ends when it notices.
  await until(() => postgresIn(dir).length === 0);
  t.pass('a stop in the middle of that is a stop');
});

t.test('an initdb that was cut short is started over', async (t) => {
  const dir = makeDir(t);
  const service = spawnService(t, dir);
  const isMaking = () => readdirSync(dir).some((name) => /^postgres\.new-\w+$/.test(name));
  await until(isMaking);
  await killService(service);
  t.notOk(existsSync(join(dir, 'postgres')));
  mkdirSync(join(dir, 'postgres.new'));
  writeFileSync(join(dir, 'postgres.new', 'PG_VERSION'), '18\n');
  const server = await start(t, dir);
  t.strictSame(await query(server.url, 'select 1'), [[1]]);
  t.strictSame(
    readdirSync(dir).filter((name) => name.startsWith('postgres.new')),
    [],
  );
});

t.test('a directory that cannot be used is explained in a sentence', async (t) => {
  const dir = makeDir(t);
  const file = join(dir, 'file');
  writeFileSync(file, '');
  t.equal(await refusal(file), `The data directory ${file} is not a directory.`);
  t.match(await refusal(join(file, 'below')), /^The data directory .*below is not a directory/);
  // Nothing can be made there, and the kernel says so as if the folder above were missing.
  if (HAS_PROC) t.equal(await refusal('/proc/x'), 'The data directory /proc/x cannot be created.');
  if (HAS_PROC) t.match(await refusal('/proc/x/y'), /^The data directory .* cannot be created/);

  const data = join(dir, 'data');
  const server = await start(t, data);
  await server.stop();
  const version = join(data, 'postgres', 'PG_VERSION');
  writeFileSync(version, '17\n');
  t.match(await refusal(data), /was written by PostgreSQL 17 and this is PostgreSQL 18: dump it/);
  writeFileSync(version, '18\n');

  const password = join(data, 'postgres-password');
  renameSync(password, `${password}.away`);
  t.match(await refusal(data), /The password of the database is missing: put back the file/);
  writeFileSync(password, 'wrong\n');
  t.match(await refusal(data), /does not start: it does not accept the password in .*-password\.$/);
  renameSync(`${password}.away`, password);

  t.match(
    await startEmbeddedPostgres({
      dataDir: data,
      name: 'lab',
      settings: { shared_buffers: 'many' },
    }).catch(String),
    /DataDirError: The database in .* does not start: invalid value for parameter "shared_buffers"/,
  );
  rmSync(version);
  t.match(await refusal(data), /is not a PostgreSQL database: move it away/);
  t.strictSame(postgresIn(dir), [], 'and nothing is left running');
});

t.test('root may keep data and package where the server cannot go', forRoot, async (t) => {
  const dir = makeDir(t);
  const account = await serverAccount(join(dir, 'postgres'));
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.notOk(await canReach(account!, dir, 1), 'the directory is closed to the account');
  const server = await start(t, join(dir, 'data'));
  const data = `select current_setting('data_directory')`;
  t.strictSame(await query(server.url, data), [['/proc/self/cwd']]);
  t.equal(statSync(join(dir, 'data', 'postgres')).uid, account!.uid);

  const found = await findPackage();
  const closed = join(dir, 'native');
  cpSync(found.native, closed, { recursive: true, verbatimSymlinks: true });
  const store = join(makeDir(t), 'store');
  chmodSync(join(store, '..'), 0o755);
  const copy = await copyOutOfReach({ ...found, native: closed }, account!, [store]);
  t.ok(await canReach(account!, join(copy, 'bin', 'postgres'), 5));
  const { ino } = statSync(copy);
  t.equal(await copyOutOfReach({ ...found, native: closed }, account!, [store]), copy);
  t.equal(statSync(copy).ino, ino, 'and it is used again');

  chmodSync(store, 0o777);
  const writable = copyOutOfReach({ ...found, native: closed }, account!, [store]);
  await t.rejects(writable, { name: 'DataDirError', message: /that only root can write/ });
});

t.test('an ordinary user needs none of that', forRoot, async (t) => {
  const dir = makeDir(t);
  const account = (await serverAccount(join(dir, 'postgres')))!;
  const { native } = await findPackage();
  const files = [process.execPath, new URL(MODULE).pathname, native];
  const reach = await Promise.all(files.map((path) => canReach(account, path, 4)));
  if (reach.includes(false)) return skip(t, `${account.name} cannot reach the program`);
  chownSync(dir, account.uid, account.gid);
  const service = spawnService(t, dir, account);
  const url = await firstLine(service);
  t.strictSame(await query(url, `select current_setting('data_directory')`), [
    [join(dir, 'postgres')],
  ]);
  await killService(service);
  const next = await start(t, dir);
  t.equal(next.url, url, 'and root can take over from it');
  await next.stop();

  chownSync(join(dir, 'postgres-password'), account.uid, account.gid);
  const again = spawnService(t, dir, account);
  t.match(await firstLine(again), /^postgres:/, 'and it from root');
  await killService(again);

  const closed = makeDir(t);
  chmodSync(closed, 0o755);
  t.equal(
    await firstLine(spawnService(t, closed, account)),
    `DataDirError: The data directory ${closed} is not writable by this user (at ${closed}/postgres.log).`,
  );
});

t.test('disks that are full or read-only are named', forRoot, async (t) => {
  const dir = makeDir(t);
  const mount = (...args: string[]) => execFileSync('mount', args, { stdio: 'pipe' });
  try {
    mount('-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', dir);
  } catch (error) {
    return skip(t, `no mounting here: ${error instanceof Error ? error.message : error}`);
  }
  try {
    t.match(await refusal(dir), /is full: a new database needs about 60 MB and \d+ MB are free/);
    mount('-o', 'remount,ro', dir);
    t.match(await refusal(dir), /lies on a read-only file system/);
    mount('-o', 'remount,rw,size=90m', dir);
    const server = await start(t, dir);
    await server.stop();
    const { bavail, bsize } = statfsSync(dir);
    writeFileSync(join(dir, 'filler'), Buffer.alloc((bavail - 1) * bsize));
    writeFileSync(join(dir, 'more'), Buffer.alloc(4096));
    t.match(await refusal(dir), /lies on a full disk: .*No space left on device/);
    rmSync(join(dir, 'filler'));
    const again = await start(t, dir);
    t.strictSame(await query(again.url, 'select 1'), [[1]], 'and it starts once there is room');
    await again.stop();
  } finally {
    execFileSync('umount', ['-l', dir]);
  }
});

t.test('links that npm did not make are made, or asked for', async (t) => {
  const native = join(makeDir(t), 'native');
  mkdirSync(join(native, 'lib'), { recursive: true });
  writeFileSync(join(native, 'lib', 'libpq.so.5.18'), 'library');
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links));
  await linkLibraries(native);
  t.equal(readlinkSync(join(native, 'lib', 'libpq.so.5')), 'libpq.so.5.18');

  rmSync(join(native, 'lib'), { recursive: true });
  writeFileSync(join(native, 'lib'), 'no directory');
  await t.rejects(linkLibraries(native), { name: 'DataDirError', message: /run npm rebuild/ });
});

t.test('the log stays small and no line is lost or cut', async (t) => {
  const path = join(makeDir(t), 'postgres.log');
  const lines: string[] = [];
  writeFileSync(path, `${'old\n'.repeat(300_000)}`);
  const log = new LogFile(path, (line) => lines.push(line));
  t.equal(log.size(), 0, 'what was there is put aside');
  t.equal(statSync(`${path}.1`).size, 1_200_000);
  log.follow();
  const append = (text: string) => writeFileSync(path, text, { flag: 'a' });
  append('one\ntw');
  await until(() => lines.length === 1);
  append(`o\n2026 FATAL:  no more\n${'x'.repeat(2 ** 20)}\n`);
  t.equal(new LogFile(join(path, '..', 'none'), () => {}).size(), 0);
  t.equal(log.lastComplaint(0), 'no more');
  await until(() => lines.length === 4);
  await until(() => log.size() === 0);
  append('after\n');
  log.close();
  t.strictSame(lines.slice(0, 3), ['one', 'two', '2026 FATAL:  no more']);
  t.strictSame(lines.slice(4), ['after']);
});
