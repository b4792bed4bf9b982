/** The queue on Redis or Valkey, where one of their servers is installed: the same work. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { WorkQueue } from '../../src/jobs/work-queue.js';
import { emptyDatabase, startInstance } from '../instances.js';
import { request } from '../service/campaigns/lab.js';

const binary = ['valkey-server', 'redis-server'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const skip = binary === undefined ? 'neither valkey-server nor redis-server is installed' : false;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** Starts a server that stops with the test. */
async function startRedis(t: Test, port: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'pebslab-redis-'));
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir];
  const child = spawn(binary ?? '', options, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  t.teardown(async () => {
    child.kill();
    await ended;
    await rm(dir, { recursive: true, force: true });
  });
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      if (String(chunk).includes('eady to accept')) resolve();
    });
  });
}

const SMALL = {
  cpu_model: 'emerald-rapids',
  kernel: 'upstream-base',
  events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
  vcpus: [{}],
  actors: [{ kind: 'nmi_throttle' }],
};

t.test('explorations and campaigns go through Redis', { skip }, async (t) => {
  const port = await freePort();
  await startRedis(t, port);
  const url = await emptyDatabase(t);
  const queueUrl = `redis://127.0.0.1:${port}`;
  const instance = await startInstance(t, url, { queueUrl });
  const { app } = instance;
  const post = (path: string, payload: object, prefer: string) =>
    app.inject({ method: 'POST', url: `/v1/${path}`, headers: { prefer }, payload });
  const explored = await post('explorations', { model: SMALL }, 'wait=60');
  t.match(explored.json(), { state: 'succeeded', verdict: 'violated' });
  const walked = await post('campaigns', request({}, { walks: 20 }), 'wait=60');
  t.match(walked.json(), { state: 'succeeded', progress: { done: 20 } });

  await instance.close();
});

t.test('a password that Redis refuses does not get into the log', async (t) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const commands = data.toString().match(/^\*/gm) ?? [];
      for (const _ of commands) socket.write('-WRONGPASS invalid password\r\n');
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
  let heard: (error: Error) => void = () => {};
  const first = new Promise<Error>((resolve) => {
    heard = resolve;
  });
  const queue = await WorkQueue.open({
    databaseUrl: '',
    queueUrl: `redis://lab:secret-of-redis@127.0.0.1:${port}`,
    lockSeconds: 30,
    onError: (error) => heard(error),
  });
  const error = await first;
  t.match(error.message, 'WRONGPASS');
  t.notMatch(JSON.stringify(pino.stdSerializers.err(error)), 'secret-of-redis');
  await queue.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});
