/** The process in environments that fail: it says in a sentence what is wrong, and never the password. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { connect, emptyDatabase } from './instances.js';

t.setTimeout(110_000);
const SERVER = fileURLToPath(new URL('../src/server.js', import.meta.url));

interface Process {
  readonly ended: Promise<{ code: number | null; err: string }>;
  readonly output: () => string;
  readonly kill: () => void;
  /** Its address, once it listens; undefined where it ends before. */
  readonly listening: Promise<string | undefined>;
}

function start(t: Test, env: Record<string, string>): Process {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [SERVER], { env: { PATH, PORT: '0', ...env } });
  t.teardown(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<{ code: number | null; err: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, err }));
  });
  const listening = new Promise<string | undefined>((resolve) => {
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const address = /Server listening at (http:[^"]+)/.exec(out)?.[1];
      if (address !== undefined) resolve(address);
    });
    void ended.then(() => resolve(undefined));
  });
  return { ended, listening, output: () => out + err, kill: () => void child.kill('SIGTERM') };
}

/** It ends by itself, with one complaint. */
async function refuses(t: Test, env: Record<string, string>, complaint: RegExp): Promise<void> {
  const service = start(t, env);
  const address = await service.listening;
  t.equal(address, undefined, 'it does not listen');
  if (address !== undefined) service.kill();
  const { code, err } = await service.ended;
  t.equal(code, 1);
  t.match(err, complaint);
  t.match(err, /^pebslab: \S.*\n$/, 'one line');
  t.notMatch(err, /\n\s+at |node:/, 'no stack');
  t.notMatch(service.output(), /hunter2/, 'no password');
}

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pebslab-env-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A file system of its own; undefined where this machine permits none. */
async function mount(t: Test, options: string): Promise<string | undefined> {
  const path = await folder(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  t.teardown(() => execFileSync('umount', ['-l', path]));
  return path;
}

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

t.test('a folder that another instance uses', async (t) => {
  const DATA_DIR = join(await folder(t), 'data');
  const first = start(t, { DATA_DIR });
  t.ok(await first.listening, 'the first has it');
  await refuses(t, { DATA_DIR }, /in use|uses/);
  first.kill();
  t.equal((await first.ended).code, 0);
});

t.test('a port that is taken ends the service before it starts anything', async (t) => {
  const DATA_DIR = join(await folder(t), 'data');
  const url = await emptyDatabase(t);
  const first = start(t, { DATABASE_URL: url });
  const address = await first.listening;
  await refuses(t, { DATA_DIR, PORT: new URL(address ?? '').port }, /EADDRINUSE/);
  t.notOk(existsSync(DATA_DIR));
  first.kill();
  t.equal((await first.ended).code, 0);
});

t.test('a folder that cannot be written', async (t) => {
  const path = await mount(t, 'ro,size=1m');
  if (path === undefined) {
    t.comment('skipped: mounting is not permitted here');
    return;
  }
  await refuses(t, { DATA_DIR: join(path, 'data') }, /data directory .* cannot be made/);
});

t.test('a folder without room', async (t) => {
  const path = await mount(t, 'size=8m,mode=755');
  if (path === undefined) {
    t.comment('skipped: mounting is not permitted here');
    return;
  }
  const DATA_DIR = join(path, 'data');
  await mkdir(DATA_DIR, { recursive: true });
  await refuses(t, { DATA_DIR }, /space|full|ENOSPC|room/i);
});

t.test(
  'a disk that becomes full: nothing is half done, and it goes on when there is room',
  async (t) => {
    const path = await mount(t, 'size=220m,mode=755');
    if (path === undefined) {
      t.comment('skipped: mounting is not permitted here');
      return;
    }
    const noisy = start(t, { DATA_DIR: join(path, 'data') });
    const address = await noisy.listening;
    if (address === undefined) {
      const { err } = await noisy.ended;
      return t.fail(`it does not start: ${err}`);
    }
    const post = async (to: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${address}${to}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Record<string, unknown>,
      };
    };
    const made = await post('/v1/hosts', { cpu_model: 'emerald-rapids', kernel: 'upstream-base' });
    t.equal(made.status, 201);
    const host = `/v1/hosts/${made.body.id}`;
    const vcpu = `${host}/vcpus/${(await post(`${host}/vcpus`, {})).body.id}`;
    const microSteps = async () =>
      ((await (await fetch(`${address}${host}`)).json()) as { micro_steps: number }).micro_steps;
    const before = await microSteps();
    const ballast = join(path, 'ballast');
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { stdio: 'ignore' });
    } catch {
      // The disk is full now.
    }
    let steps = 0;
    let refused: Awaited<ReturnType<typeof post>> | undefined;
    for (let at = 0; at < 400 && refused === undefined; at += 1) {
      const answer = await post(`${vcpu}/transitions`, { kind: 'micro_step', count: 40 });
      if (answer.status === 200) steps += 40;
      else refused = answer;
    }
    t.comment(`${steps} steps until the disk was full: ${refused?.body.detail}`);
    if (refused !== undefined) {
      t.equal(refused.status, 503);
      t.match(refused.body, {
        type: '/problems/unavailable',
        detail: /Nothing can be stored or read now: \S+/,
      });
      t.ok(refused.headers.get('retry-after'));
    }
    await rm(ballast);
    const deadline = performance.now() + 30_000;
    let status = 0;
    while (status !== 200 && performance.now() < deadline) {
      ({ status } = await post(`${vcpu}/transitions`, { kind: 'micro_step', count: 40 }));
      if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    t.equal(status, 200, 'it goes on');
    t.equal((await microSteps()) - before, steps + 40, 'what was refused did not happen');
    noisy.kill();
    t.equal((await noisy.ended).code, 0);
  },
);
