/** Runs a command with a real PostgreSQL for its tests, as TEST_POSTGRES_URL: `node dist/test/with-postgres.js node test.js`. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { startEmbeddedPostgres } from '../src/private-postgres/server.js';

const [command = process.execPath, ...args] = process.argv.slice(2);
const dataDir = await mkdtemp(join(tmpdir(), 'pebslab-tests-'));
const server = await startEmbeddedPostgres({
  dataDir,
  name: 'test',
  // No test cuts the power.
  settings: { max_connections: '300', fsync: 'off', full_page_writes: 'off' },
});
const code = await new Promise<number>((resolve) => {
  const child = spawn(command, args, {
    stdio: 'inherit',
    env: { ...process.env, TEST_POSTGRES_URL: server.url },
  });
  child.on('error', () => resolve(127));
  child.on('close', (status) => resolve(status ?? 1));
  // The command hears of an interrupt by itself; this process stays to stop the server.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => child.kill(signal));
  }
});
await server.stop();
await rm(dataDir, { recursive: true, force: true });
process.exitCode = code;
