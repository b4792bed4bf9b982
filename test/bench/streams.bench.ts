/**
 * Streams of events beside everything else.
 * (a) What quiet streams cost others: changes a second of one client with 0 and with 200 streams open, in turn; once
 * changes that are events as well (a host is made and deleted), once changes that are none (a round trip).
 * (b) 150 streams without a cursor begun at once, on a short log and on one of a million events: how many are served, what
 * they are told though nothing happens, and how long others wait meanwhile.
 *
 *   ROUNDS (default 5), SECONDS of each measurement (default 2), STREAMS (default 200), EVENTS (default 1000000)
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { buildApp } from '../../src/app.js';
import { DEFAULT_CONFIG } from '../../src/config/configuration.js';
import { openDatabase } from '../../src/store/database.js';
import { createDatabase, dropDatabase } from '../postgres.js';
import { answerParent, cpuMicros, say, startServer } from './http-client.js';
import { BODY, listen, makeVcpu } from './http-targets.js';
import { median } from './median.js';

const rounds = Number(process.env.ROUNDS ?? 5);
const seconds = Number(process.env.SECONDS ?? 2);
const streams = Number(process.env.STREAMS ?? 200);
const events = Number(process.env.EVENTS ?? 1_000_000);
const BURST = 150;
const FILE = fileURLToPath(import.meta.url);

interface Targets {
  readonly port: number;
  readonly vcpu: string;
  readonly url: string;
}

async function serve(): Promise<void> {
  const url = await createDatabase();
  const database = await openDatabase(url);
  // Only what answers requests: what a worker forgets meanwhile is not to be measured.
  const config = { ...DEFAULT_CONFIG, role: 'api' as const };
  const app = await buildApp({ config, storage: { database, isPrivate: true } });
  await app.ready();
  const vcpu = await makeVcpu(app);
  const { port } = await listen(app, []);
  answerParent({ port, vcpu, url } satisfies Targets, async () => {
    await app.close();
    await database.close();
    await dropDatabase(url);
  });
}

/** A process of its own that reads streams, as many as it is told. */
function listenTo(port: number): void {
  let open: readonly Stream[] = [];
  process.on('message', async (count: number) => {
    for (const { socket } of open) socket.destroy();
    open = await Promise.all(Array.from({ length: count }, () => Stream.open(port)));
    process.send?.(open.filter(({ status }) => status === 200).length);
  });
  process.on('disconnect', () => process.exit(0));
}

class Stream {
  status = 0;
  bytes = 0;

  private constructor(readonly socket: Socket) {}

  /** Resolves with the first bytes of the answer. */
  static open(port: number): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      const stream = new Stream(socket);
      socket.write(
        'GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n',
      );
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        if (stream.status === 0) stream.status = Number(chunk.toString('latin1').slice(9, 12));
        stream.bytes += chunk.length;
        resolve(stream);
      });
    });
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function ask(port: number, method: string, path: string, body = ''): Promise<string> {
  const headers = body === '' ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => {
        if ((answer.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${answer.statusCode} ${text.slice(0, 500)}`));
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const HOST = JSON.stringify({ cpu_model: 'emerald-rapids', kernel: 'upstream-base' });

/** Makes changes that are events for so long, one after another; how many a second. */
async function changeHosts({ port }: Targets): Promise<number> {
  const { id } = JSON.parse(await ask(port, 'POST', '/v1/hosts', HOST));
  await ask(port, 'DELETE', `/v1/hosts/${id}`);
  return 2;
}

async function step({ port, vcpu }: Targets): Promise<number> {
  await ask(port, 'POST', vcpu, BODY);
  return 1;
}

interface Measured {
  readonly perSecond: number;
  readonly cpu: number;
}

async function measure(
  server: ChildProcess,
  targets: Targets,
  change: (targets: Targets) => Promise<number>,
): Promise<Measured> {
  const before = await cpuMicros(server);
  const started = performance.now();
  let count = 0;
  while (performance.now() - started < seconds * 1000) count += await change(targets);
  const micros = (performance.now() - started) * 1000;
  const cpu = (await cpuMicros(server)) - before;
  return { perSecond: (count * 1e6) / micros, cpu: cpu / count };
}

async function compareQuiet(server: ChildProcess, targets: Targets): Promise<void> {
  const listener = fork(FILE, ['listen', String(targets.port)]);
  const open = async (count: number): Promise<void> => {
    const told = once(listener, 'message');
    listener.send(count);
    const [served] = await told;
    if (served !== count) throw new Error(`${served} of ${count} streams were served`);
    // Those that were closed are let go.
    await sleep(100);
  };
  for (const [name, change] of Object.entries({ hosts: changeHosts, steps: step })) {
    const seen: Measured[][] = [[], []];
    for (let round = -1; round < rounds; round += 1) {
      for (const [at, count] of [0, streams].entries()) {
        await open(count);
        const measured = await measure(server, targets, change);
        if (round >= 0) seen[at]?.push(measured);
      }
      await open(0);
    }
    const [without = [], beside = []] = seen;
    for (const [count, all] of [without, beside].entries()) {
      const suffix = `beside_${count === 0 ? 0 : streams}_streams`;
      say(`${name}_${suffix}`, median(all.map(({ perSecond }) => perSecond)), 'per_second');
      say(`${name}_${suffix}_server_cpu`, median(all.map(({ cpu }) => cpu)), 'us_per_change');
    }
    const ratios = beside.map(({ perSecond }, at) => perSecond / (without[at]?.perSecond ?? 0));
    say(`${name}_beside_streams_to_alone`, median(ratios), 'ratio_aim_0.9', 3);
  }
  listener.disconnect();
}

async function burst(targets: Targets, name: string): Promise<void> {
  const { port } = targets;
  let going = true;
  const waits: number[] = [];
  const others = (async () => {
    while (going) {
      const started = performance.now();
      await ask(port, 'GET', '/v1/hosts?limit=1').catch(() => {});
      waits.push(performance.now() - started);
      await sleep(5);
    }
  })();
  await sleep(200);
  waits.length = 0;
  const started = performance.now();
  const all = await Promise.all(Array.from({ length: BURST }, () => Stream.open(port)));
  const millis = performance.now() - started;
  await sleep(1000);
  going = false;
  await others;
  const served = all.filter(({ status }) => status === 200);
  say(`${name}_burst_served`, served.length, `of_${BURST}`);
  say(`${name}_burst_begun`, millis, 'ms');
  say(`${name}_burst_told`, Math.max(0, ...served.map(({ bytes }) => bytes)), 'bytes_at_most');
  say(`${name}_burst_others_longest`, Math.max(...waits), 'ms_aim_250');
  for (const { socket } of all) socket.destroy();
  await sleep(500);
}

/** As many events as are kept, of transactions with numbers of as many digits as there are. */
async function fill(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `insert into events (xid, type, subject, data)
     select (1 + n % 700)::text::xid8, 'host.created', 'host_' || n,
            '{"cpu_model": "emerald-rapids", "kernel": "upstream-base"}'
       from generate_series(1, ${events}) n`,
  );
  await client.query('vacuum analyze events');
  await client.end();
}

async function compare(): Promise<void> {
  const { server, targets } = await startServer<Targets>(FILE);
  await burst(targets, 'short');
  await compareQuiet(server, targets);
  await fill(targets.url);
  await burst(targets, 'long');
  server.disconnect();
  agent.destroy();
}

if (process.argv[2] === 'serve') await serve();
else if (process.argv[2] === 'listen') listenTo(Number(process.argv[3]));
else await compare();
