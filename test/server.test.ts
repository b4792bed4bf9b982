import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** One folder for all starts of this file: only the first has to make a database. */
const DATA_DIR = mkdtempSync(join(tmpdir(), 'pebslab-server-test-'));
t.teardown(() => rmSync(DATA_DIR, { recursive: true, force: true }));

const SERVER = fileURLToPath(new URL('../src/server.js', import.meta.url));

/** Runs the service until it exits; `onOutput` sees all output so far. */
function run(
  env: Record<string, string>,
  onOutput: (out: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Run> {
  return new Promise((resolve) => {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [SERVER], { env: { PATH, DATA_DIR, ...env } });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      onOutput(out, (signal) => child.kill(signal));
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

t.test('the process', async (t) => {
  t.test('tells what is wrong with its configuration and exits with 1', async (t) => {
    const { code, err } = await run({ PORT: 'x', LOG_LEVEL: 'loud' });
    t.equal(code, 1);
    t.match(err, /^pebslab: PORT must be .*\npebslab: LOG_LEVEL must be/);
  });

  t.test('says that its port is taken before it sets anything up', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    t.teardown(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    const folder = join(DATA_DIR, 'never-made');
    const { code, out, err } = await run({ PORT: `${port}`, DATA_DIR: folder });
    t.equal(code, 1);
    t.match(err, new RegExp(`^pebslab: 127\\.0\\.0\\.1:${port} is in use .* Set PORT `));
    t.equal(out, '', 'nothing was started');
    t.notOk(existsSync(folder));
  });

  t.test('refuses to listen to other machines without tokens', async (t) => {
    for (const HOST of ['0.0.0.0', '::']) {
      const { code, out, err } = await run({ PORT: '0', HOST });
      t.equal(code, 1);
      t.match(err, /^pebslab: HOST .* no tokens are configured.*ALLOW_ANONYMOUS=1.*\n$/);
      t.equal(out, '', 'nothing was started');
    }
  });

  t.test('shows no secret when its configuration is wrong', async (t) => {
    const wrong = { DATABASE_URL: 'pg://lab:hunter2@db/lab', API_TOKENS: 'ci:write:hunter2' };
    const { code, out, err } = await run({ HOST: '0.0.0.0', ...wrong });
    t.equal(code, 1);
    t.match(err, /^pebslab: DATABASE_URL .*\npebslab: API_TOKENS /);
    t.notMatch(out + err, /hunter2/);
  });

  t.test('warns when anybody may do everything, and says how to change it', async (t) => {
    const startOf = async (env: Record<string, string>) => {
      const { out } = await run({ PORT: '0', ...env }, (text, kill) => {
        if (text.includes('Server listening')) kill('SIGTERM');
      });
      const lines = out.trim().split('\n');
      return lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 40);
    };
    t.match(await startOf({}), [{ msg: /any local process has full access.* API_TOKENS/ }]);
    const open = await startOf({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: '1' });
    t.match(open, [{ msg: /any client that can reach 0\.0\.0\.0 / }]);
    const token = `ci:write:${'a'.repeat(64)}`;
    t.strictSame(await startOf({ HOST: '0.0.0.0', API_TOKENS: token }), [], 'not with tokens');
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    t.test(`serves, logs one line a request, and ends with 0 on ${signal}`, async (t) => {
      let asked = false;
      const { code, out } = await run({ PORT: '0' }, (text, kill) => {
        const address = /Server listening at (http:[^"]+)/.exec(text)?.[1];
        if (address === undefined || asked) return;
        asked = true;
        void fetch(`${address}/livez`)
          .then((response) => response.text())
          .then(() => setTimeout(() => kill(signal), 50));
      });
      t.equal(code, 0);
      const lines = out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const requests = lines.filter(({ reqId }) => reqId !== undefined);
      t.equal(requests.length, 1);
      t.match(requests[0], { method: 'GET', route: '/livez', status: 200, ms: Number });
    });
  }
});
