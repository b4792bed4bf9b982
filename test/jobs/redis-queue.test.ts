/** The queue on Redis or Valkey, where one of their servers is installed: the same work. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { request } from '../campaign/lab.js';
import { emptyDatabase, startInstance } from '../instances.js';

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
  const explored = await post('explorations', { model: SMALL }, 'wait=20');
  t.match(explored.json(), { state: 'succeeded', verdict: 'violated' });
  const walked = await post('campaigns', request({}, { walks: 20 }), 'wait=20');
  t.match(walked.json(), { state: 'succeeded', progress: { done: 20 } });

  await instance.close();
});
