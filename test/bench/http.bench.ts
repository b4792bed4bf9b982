/**
 * (b) `POST …/transitions` with count 1, without the database, against a bare Fastify POST with the same schemas and an
 * answer of the same size, both served by one child process and asked over keep-alive sockets; by throughput, and by the
 * CPU time the server spends on a request, which other load on the machine disturbs less.
 * (c) One request of 1,000,000 round trips: microseconds per round trip.
 *
 *   ROUNDS (default 9), REQUESTS (default 3000 a round), CONNECTIONS (default 16)
 */
import type { ChildProcess } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  answerParent,
  cpuMicros,
  type Measured,
  measure,
  openConnections,
  say,
  startServer,
  type Target,
} from './http-client.js';
import { BODY, bareApp, listen, MEMORY_PATH, memoryApp } from './http-targets.js';
import { median } from './median.js';

const rounds = Number(process.env.ROUNDS ?? 9);
const requests = Number(process.env.REQUESTS ?? 3000);
const connections = Number(process.env.CONNECTIONS ?? 16);

interface Targets {
  readonly memory: Target;
  readonly bare: Target;
}

async function serve(): Promise<void> {
  const app = await memoryApp();
  const payload = { kind: 'round_trip' };
  const answer = (await app.inject({ method: 'POST', url: MEMORY_PATH, payload })).json();
  const bare = bareApp(answer);
  const targets: Targets = {
    memory: await listen(app, [MEMORY_PATH]),
    bare: await listen(bare, [MEMORY_PATH.replace('/memory', '/v1')]),
  };
  answerParent(targets, async () => {
    await Promise.all([app.close(), bare.close()]);
  });
}

async function compare(): Promise<void> {
  const { server, targets } = await startServer<Targets>(fileURLToPath(import.meta.url));
  const pools = {
    memory: await openConnections(targets.memory, connections, BODY),
    bare: await openConnections(targets.bare, connections, BODY),
  };
  const seen: Record<keyof Targets, Measured[]> = { memory: [], bare: [] };
  for (let round = -1; round < rounds; round += 1) {
    for (const which of ['bare', 'memory'] as const) {
      const measured = await measure(server, pools[which], requests);
      if (round >= 0) seen[which].push(measured);
    }
  }
  const middle = (which: keyof Targets, key: keyof Measured) =>
    median(seen[which].map((one) => one[key]));
  const ratio = (key: keyof Measured) =>
    median(seen.memory.map((one, at) => seen.bare[at]![key] / one[key]));
  say('transition_requests', 1e6 / middle('memory', 'micros'), 'per_second');
  say('bare_requests', 1e6 / middle('bare', 'micros'), 'per_second');
  say('transition_server_cpu', middle('memory', 'cpu'), 'us_per_request', 1);
  say('bare_server_cpu', middle('bare', 'cpu'), 'us_per_request', 1);
  say('transition_to_bare', ratio('micros'), 'ratio_aim_0.7', 3);
  say('transition_to_bare_by_cpu', ratio('cpu'), 'ratio', 3);
  await longRequest(server, targets.memory);
  for (const connection of [...pools.memory, ...pools.bare]) connection.close();
  server.disconnect();
}

async function longRequest(server: ChildProcess, target: Target): Promise<void> {
  const count = 1_000_000;
  const times: number[] = [];
  const cpus: number[] = [];
  const pool = await openConnections(target, 1, JSON.stringify({ kind: 'round_trip', count }));
  for (let round = 0; round < 3; round += 1) {
    const before = await cpuMicros(server);
    const started = performance.now();
    await pool[0]!.ask(1);
    times.push(((performance.now() - started) * 1000) / count);
    cpus.push(((await cpuMicros(server)) - before) / count);
  }
  pool[0]!.close();
  say('long_request', median(times), 'us_per_round_trip', 3);
  say('long_request_server_cpu', median(cpus), 'us_per_round_trip', 3);
}

await (process.argv[2] === 'serve' ? serve() : compare());
