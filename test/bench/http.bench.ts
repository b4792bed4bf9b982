/**
 * (b) `POST …/transitions` with count 1 against a bare Fastify POST with the same schemas and an answer of the same
 * size, both served by one child process and asked over keep-alive sockets; by throughput, and by the CPU time the
 * server spends on a request, which other load on the machine disturbs less.
 * (c) One request of 1,000,000 round trips: microseconds per round trip.
 *
 *   ROUNDS (default 9), REQUESTS (default 3000 a round), CONNECTIONS (default 16)
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import Fastify, { type FastifyInstance } from 'fastify';
import { ALL_SCHEMAS } from '../../schemas/index.js';
import { TransitionRequestSchema, TransitionSchema } from '../../schemas/transition.js';
import { VcpuParamsSchema } from '../../schemas/vcpu.js';
import { buildApp } from '../../src/app.js';
import { median } from './median.js';

const rounds = Number(process.env.ROUNDS ?? 9);
const requests = Number(process.env.REQUESTS ?? 3000);
const connections = Number(process.env.CONNECTIONS ?? 16);
const BODY = JSON.stringify({ kind: 'round_trip', count: 1 });

interface Target {
  readonly port: number;
  readonly path: string;
}

// The child: both servers, and how much CPU time it has used.

async function serve(): Promise<void> {
  const app = await buildApp();
  const path = await makeVcpu(app);
  const answer = (await post(app, path, { kind: 'round_trip' })).json();
  const targets = { service: await listen(app, path), bare: await listen(bare(answer), path) };
  process.on('message', () => process.send?.(process.cpuUsage()));
  process.on('disconnect', () => process.exit(0));
  process.send?.(targets);
}

/** Emerald Rapids on upstream-base with host PEBS and adaptive records. */
async function makeVcpu(app: FastifyInstance): Promise<string> {
  const spec = { cpu_model: 'emerald-rapids', kernel: 'upstream-base' };
  const host = (await post(app, '/v1/hosts', spec)).json();
  const event = { counter: 'PMC0', precise_ip: 2, exclude_guest: true, pebs_data_cfg: 3 };
  await post(app, `/v1/hosts/${host.id}/perf-events`, event);
  const vcpu = (await post(app, `/v1/hosts/${host.id}/vcpus`, {})).json();
  return `/v1/hosts/${host.id}/vcpus/${vcpu.id}/transitions`;
}

function post(app: FastifyInstance, url: string, payload: object) {
  return app.inject({ method: 'POST', url, payload });
}

/** Fastify as it comes, with our schemas and nothing else. */
function bare(answer: object): FastifyInstance {
  const app = Fastify({ ajv: { customOptions: { strict: false } } });
  for (const schema of ALL_SCHEMAS) app.addSchema(schema);
  const schema = {
    params: VcpuParamsSchema,
    body: TransitionRequestSchema,
    response: { 200: TransitionSchema },
  };
  app.post('/v1/hosts/:host/vcpus/:vcpu/transitions', { schema }, async () => answer);
  return app;
}

async function listen(app: FastifyInstance, path: string): Promise<Target> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { port: (app.server.address() as AddressInfo).port, path };
}

// The parent: a client that does as little as it can.

/** A keep-alive connection that sends one request after another. */
class Connection {
  private constructor(
    private readonly socket: Socket,
    private readonly request: string,
  ) {}

  static async open({ port, path }: Target, body: string): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: localhost',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
    ];
    return new Connection(socket, `${head.join('\r\n')}\r\n\r\n${body}`);
  }

  /** Sends the request `count` times; resolves when the last answer has come. */
  ask(count: number): Promise<void> {
    const { socket, request } = this;
    return new Promise((resolve, reject) => {
      let left = count;
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
        if (text.length < end + 4 + length) return;
        if (!text.startsWith('HTTP/1.1 200')) reject(new Error(text.slice(0, 600)));
        text = '';
        left -= 1;
        if (left > 0) socket.write(request);
        else {
          socket.removeAllListeners('data');
          resolve();
        }
      });
      socket.once('error', reject);
      socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

async function cpuMicros(server: ChildProcess): Promise<number> {
  const told = once(server, 'message');
  server.send('cpu');
  const [{ user, system }] = (await told) as [NodeJS.CpuUsage];
  return user + system;
}

interface Measured {
  /** Wall time a request. */
  readonly micros: number;
  /** CPU time of the server a request. */
  readonly cpu: number;
}

async function measure(server: ChildProcess, pool: readonly Connection[]): Promise<Measured> {
  const each = Math.ceil(requests / pool.length);
  const before = await cpuMicros(server);
  const started = performance.now();
  await Promise.all(pool.map((connection) => connection.ask(each)));
  const micros = (performance.now() - started) * 1000;
  const cpu = (await cpuMicros(server)) - before;
  const total = each * pool.length;
  return { micros: micros / total, cpu: cpu / total };
}

async function compare(): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), ['serve']);
  const [targets] = (await once(server, 'message')) as [Record<'service' | 'bare', Target>];
  const open = (target: Target) =>
    Promise.all(Array.from({ length: connections }, () => Connection.open(target, BODY)));
  const pools = { service: await open(targets.service), bare: await open(targets.bare) };
  const seen: Record<'service' | 'bare', Measured[]> = { service: [], bare: [] };
  for (let round = -1; round < rounds; round += 1) {
    for (const which of ['bare', 'service'] as const) {
      const measured = await measure(server, pools[which]);
      if (round >= 0) seen[which].push(measured);
    }
  }
  const middle = (which: 'service' | 'bare', key: keyof Measured) =>
    median(seen[which].map((one) => one[key]));
  const ratio = (key: keyof Measured) =>
    median(seen.service.map((one, at) => seen.bare[at]![key] / one[key]));
  say('transition_requests', 1e6 / middle('service', 'micros'), 'per_second');
  say('bare_requests', 1e6 / middle('bare', 'micros'), 'per_second');
  say('transition_server_cpu', middle('service', 'cpu'), 'us_per_request', 1);
  say('bare_server_cpu', middle('bare', 'cpu'), 'us_per_request', 1);
  say('transition_to_bare', ratio('micros'), 'ratio_aim_0.7', 3);
  say('transition_to_bare_by_cpu', ratio('cpu'), 'ratio', 3);
  await longRequest(server, targets.service);
  for (const connection of [...pools.service, ...pools.bare]) connection.close();
  server.disconnect();
}

async function longRequest(server: ChildProcess, target: Target): Promise<void> {
  const count = 1_000_000;
  const times: number[] = [];
  const cpus: number[] = [];
  const body = JSON.stringify({ kind: 'round_trip', count });
  const connection = await Connection.open(target, body);
  for (let round = 0; round < 3; round += 1) {
    const before = await cpuMicros(server);
    const started = performance.now();
    await connection.ask(1);
    times.push(((performance.now() - started) * 1000) / count);
    cpus.push(((await cpuMicros(server)) - before) / count);
  }
  connection.close();
  say('long_request', median(times), 'us_per_round_trip', 3);
  say('long_request_server_cpu', median(cpus), 'us_per_round_trip', 3);
}

function say(name: string, value: number, unit: string, digits = 0): void {
  console.log(`${name} ${value.toFixed(digits)} ${unit}`);
}

await (process.argv[2] === 'serve' ? serve() : compare());
