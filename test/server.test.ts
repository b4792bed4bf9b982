import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ConfigError, DEFAULT_CONFIG, readConfig } from '../src/config.js';

t.test('the environment', async (t) => {
  t.strictSame(readConfig({}), DEFAULT_CONFIG, 'may be empty');
  const env = { PORT: '9000', HOST: '::1', LOG_LEVEL: 'warn' };
  t.strictSame(readConfig(env), { port: 9000, host: '::1', logLevel: 'warn' });
  for (const PORT of ['', '-1', '65536', '80a', '1e3']) {
    t.throws(() => readConfig({ PORT }), ConfigError, `PORT=${PORT} is refused`);
  }
  const wrong = { PORT: 'x', HOST: 'a b', LOG_LEVEL: 'loud' };
  const complaint = /^HOST .*\nPORT .*\nLOG_LEVEL must be one of .* not "loud"/;
  t.throws(() => readConfig(wrong), { message: complaint }, 'every complaint comes at once');
});

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const SERVER = fileURLToPath(new URL('../src/server.js', import.meta.url));

/** Runs the service until it exits; `onOutput` sees all output so far. */
function run(
  env: Record<string, string>,
  onOutput: (out: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Run> {
  return new Promise((resolve) => {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [SERVER], { env: { PATH, ...env } });
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
