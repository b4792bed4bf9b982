/**
 * Durable single steps: `POST …/transitions` with count 1, answered when it is on disk, asked by 1, 16 and 64 clients
 * with a host each, or all with one host, or with an idempotency key each. Side by side with the same route without the
 * database, and with a bare Fastify route that does one `pg` insert of about as many bytes per request, over one
 * connection or over a pool of ten. At 64 clients once more as on a disk that takes 4 ms to flush (PostgreSQL's
 * `commit_delay`), since what a flush costs decides everything and differs a hundredfold between disks.
 * Then how long the service takes to start: on an empty folder (initdb), and again.
 *
 *   ROUNDS (default 5), SECONDS of each measurement, about (default 1)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { buildApp } from '../../src/app.js';
import { openDatabase } from '../../src/store/database.js';
import { createDatabase, dropDatabase } from '../postgres.js';
import {
  answerParent,
  type Connections,
  type Measured,
  measure,
  openConnections,
  say,
  startServer,
  type Target,
} from './http-client.js';
import { BODY, bareApp, listen, MEMORY_PATH, makeVcpu, memoryApp } from './http-targets.js';
import { median } from './median.js';

const rounds = Number(process.env.ROUNDS ?? 5);
const seconds = Number(process.env.SECONDS ?? 1);
const CLIENTS = [1, 16, 64] as const;
/** What a step writes: the image of a host with an event and a vCPU, and its trace. */
const INSERTED = 'x'.repeat(2000);

const KINDS = ['insert', 'insert_pool', 'memory', 'durable', 'one_host', 'keyed'] as const;
type Kind = (typeof KINDS)[number];
type Targets = Readonly<Record<Exclude<Kind, 'one_host' | 'keyed'>, Target>>;

async function serve(): Promise<void> {
  const url = await createDatabase();
  const database = await openDatabase(url);
  const app = await buildApp({ storage: { database, isPrivate: true } });
  await app.ready();
  const paths: string[] = [];
  for (let at = 0; at < 64; at += 1) paths.push(await makeVcpu(app));
  const payload = { kind: 'round_trip' };
  const answer = (await app.inject({ method: 'POST', url: paths[0]!, payload })).json();
  const memory = await memoryApp();
  const single = new pg.Pool({ connectionString: url, max: 1 });
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  await pool.query('create table bare (id bigint generated always as identity, image text)');
  const inserting = (connections: pg.Pool) =>
    bareApp(answer, async () => {
      await connections.query('insert into bare (image) values ($1)', [INSERTED]);
    });
  const inserts = [inserting(single), inserting(pool)] as const;
  const targets: Targets = {
    durable: await listen(app, paths),
    memory: await listen(memory, [MEMORY_PATH]),
    insert: await listen(inserts[0], paths),
    insert_pool: await listen(inserts[1], paths),
  };
  answerParent(targets, async () => {
    await Promise.all([app, memory, ...inserts].map((one) => one.close()));
    await Promise.all([single.end(), pool.end()]);
    await database.close();
    await dropDatabase(url);
  });
}

async function compare(): Promise<void> {
  const { server, targets } = await startServer<Targets>(fileURLToPath(import.meta.url));
  for (const clients of CLIENTS) await compareWith(server, targets, clients, '');
  await setFlushMicros(4000);
  await compareWith(server, targets, 64, '_slow_disk');
  await setFlushMicros(0);
  server.disconnect();
}

async function compareWith(
  server: ChildProcess,
  targets: Targets,
  clients: number,
  suffix: string,
): Promise<void> {
  const onOneHost = { ...targets.durable, paths: targets.durable.paths.slice(0, 1) };
  const pools: Record<Kind, Connections> = {
    insert: await openConnections(targets.insert, clients, BODY),
    insert_pool: await openConnections(targets.insert_pool, clients, BODY),
    memory: await openConnections(targets.memory, clients, BODY),
    durable: await openConnections(targets.durable, clients, BODY),
    one_host: await openConnections(onOneHost, clients, BODY),
    keyed: await openConnections(targets.durable, clients, BODY, true),
  };
  const seen: Partial<Record<Kind, Measured[]>> = {};
  const counts: Partial<Record<Kind, number>> = {};
  for (let round = -1; round < rounds; round += 1) {
    for (const kind of KINDS) {
      const measured = await measure(server, pools[kind], counts[kind] ?? 20 * clients);
      counts[kind] = Math.max(clients, Math.round((seconds * 1e6) / measured.micros));
      if (round >= 0) seen[kind] = [...(seen[kind] ?? []), measured];
    }
  }
  const all = (kind: Kind) => seen[kind] ?? [];
  const name = `${clients}_clients${suffix}`;
  for (const kind of KINDS) {
    say(`${kind}_${name}`, median(all(kind).map(({ micros }) => 1e6 / micros)), 'per_second');
    say(`${kind}_${name}_server_cpu`, median(all(kind).map(({ cpu }) => cpu)), 'us_per_request');
  }
  const ratio = (one: Kind, other: Kind) =>
    median(all(one).map(({ micros }, at) => (all(other)[at]?.micros ?? Number.NaN) / micros));
  for (const kind of ['durable', 'one_host', 'keyed'] as const) {
    say(`${kind}_to_insert_${name}`, ratio(kind, 'insert'), 'ratio_aim_10_at_64', 2);
    say(`${kind}_to_insert_pool_${name}`, ratio(kind, 'insert_pool'), 'ratio', 2);
    say(`${kind}_to_memory_${name}`, ratio(kind, 'memory'), 'ratio', 3);
  }
  for (const connection of Object.values(pools).flat()) connection.close();
}

/** Makes every flush of the log wait as a slow disk does. */
async function setFlushMicros(micros: number): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.TEST_POSTGRES_URL });
  await client.connect();
  await client.query(`alter system set commit_delay = ${micros}`);
  await client.query('alter system set commit_siblings = 0');
  await client.query('select pg_reload_conf()');
  await client.end();
}

/** From the start of the process to the first answer that it is ready, in milliseconds. */
async function startUp(dataDir: string): Promise<number> {
  const file = fileURLToPath(new URL('../../src/server.js', import.meta.url));
  const env = { PATH: process.env.PATH ?? '', PORT: '0', DATA_DIR: dataDir };
  const started = performance.now();
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const address = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const found = /Server listening at (http:[^"]+)/.exec(out)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on('exit', () => reject(new Error(`the service did not start: ${out}`)));
  });
  const { ok } = await fetch(`${address}/readyz`);
  if (!ok) throw new Error('the service is not ready');
  const millis = performance.now() - started;
  child.kill('SIGTERM');
  await new Promise((resolve) => child.on('exit', resolve));
  return millis;
}

async function startUps(): Promise<void> {
  const cold: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const dataDir = await mkdtemp(join(tmpdir(), 'pebslab-bench-'));
    cold.push(await startUp(dataDir));
    warm.push(await startUp(dataDir));
    await rm(dataDir, { recursive: true, force: true });
  }
  say('start_cold', median(cold), 'ms');
  say('start_warm', median(warm), 'ms');
}

if (process.argv[2] === 'serve') await serve();
else {
  await compare();
  await startUps();
}
