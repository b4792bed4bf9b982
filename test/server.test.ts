import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

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
  args: readonly string[] = [],
): Promise<Run> {
  return runCommand(process.execPath, [SERVER, ...args], env, onOutput);
}

function runCommand(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  onOutput: (out: string, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<Run> {
  return new Promise((resolve) => {
    const { PATH = '' } = process.env;
    const child = spawn(command, args, { env: { PATH, DATA_DIR, ...env } });
    let out = '';
    let err = '';
    let isTold = false;
    const kill = (signal: NodeJS.Signals): void => {
      // The service takes a second signal for impatience.
      if (!isTold) child.kill(signal);
      isTold = true;
    };
    child.stdout.on('data', (chunk) => {
      out += chunk;
      onOutput(out, kill);
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

  t.test('says what it is asked to say, and refuses what it does not know', async (t) => {
    const said = async (...args: string[]) => {
      const folder = join(DATA_DIR, 'never-made');
      // The configuration is wrong: it is not even read.
      const answer = await run({ PORT: 'x', DATA_DIR: folder }, undefined, args);
      t.notOk(existsSync(folder), 'nothing was started');
      return answer;
    };
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    t.strictSame(await said('--version'), { code: 0, out: `${version}\n`, err: '' });
    for (const help of ['--help', '-h']) {
      const { code, out, err } = await said(help);
      t.equal(code, 0);
      t.match(out, /^ +--port N +\S.*\n +--version +\S.*\n +--help, -h +\S/m);
      t.equal(err, '');
    }
    for (const [args, complaint] of [
      [['--prot', '1'], "Unknown option '--prot'. --help lists the options."],
      [['--port'], "Option '--port <value>' argument missing. --help lists the options."],
      [['8080'], "Unexpected argument '8080'. --help lists the options."],
      [['--port', '65536'], '--port must be an integer from 0 to 65535, not "65536".'],
      [['--port='], '--port must be an integer from 0 to 65535, not "".'],
    ] as const) {
      t.strictSame(await said(...args), { code: 2, out: '', err: `pebslab: ${complaint}\n` });
    }
  });

  const REQUEST = { method: 'GET', route: '/livez', status: 200, ms: Number };

  /** Starts it, asks once whether it lives, and stops it; what it logged. */
  async function logOf(
    t: Test,
    signal: NodeJS.Signals,
    env: Record<string, string>,
    args: readonly string[],
    meanwhile = async (): Promise<void> => {},
  ): Promise<Record<string, unknown>[]> {
    let asked = false;
    const { code, out } = await run(
      env,
      (text, kill) => {
        const address = /Server listening at (http:[^"]+)/.exec(text)?.[1];
        if (address === undefined || asked) return;
        asked = true;
        void fetch(`${address}/livez`)
          .then((response) => response.text())
          .then(meanwhile)
          .then(() => setTimeout(() => kill(signal), 50));
      },
      args,
    );
    t.equal(code, 0);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const requests = lines.filter(({ reqId }) => reqId !== undefined);
    t.match(requests, [REQUEST], 'one line a request');
    return lines;
  }

  const warnings = (lines: Record<string, unknown>[]) => lines.filter(({ level }) => level === 40);

  t.test(
    'listens on --port in place of PORT, says what to open, and ends on SIGTERM',
    async (t) => {
      const lines = await logOf(t, 'SIGTERM', { PORT: 'x' }, ['--port', '0']);
      const listening = lines.map(({ msg }) => msg).join('\n');
      const [, port] = /Server listening at http:\/\/127\.0\.0\.1:([0-9]+)/.exec(listening) ?? [];
      t.ok(lines.some(({ msg }) => msg === `open http://localhost:${port}/ui/`));
      t.match(warnings(lines), [{ msg: /any local process has full access.* API_TOKENS/ }]);
    },
  );

  t.test('warns where any client may do everything, and ends on SIGINT', async (t) => {
    const env = { PORT: '0', HOST: '0.0.0.0', ALLOW_ANONYMOUS: '1' };
    const lines = await logOf(t, 'SIGINT', env, [], async () => {
      const { code, err } = await run({ PORT: '0' });
      t.equal(code, 1);
      t.match(err, /^pebslab: .*is in use by another service.*\n$/, 'its folder is its own');
    });
    t.match(warnings(lines), [{ msg: /any client that can reach 0\.0\.0\.0 / }]);
  });

  const skip = existsSync('/usr/bin/script') ? false : 'there is no script(1) to make a terminal';
  t.test(
    'logs plain lines on a terminal, without a warning where tokens are',
    { skip },
    async (t) => {
      let asked = false;
      const { code, out } = await runCommand(
        '/usr/bin/script',
        ['-qec', `'${process.execPath}' '${SERVER}' --port 0`, '/dev/null'],
        { NO_COLOR: '1', HOST: '0.0.0.0', API_TOKENS: `ci:write:${'a'.repeat(64)}` },
        (text, kill) => {
          if (/GET .*ms/.test(text)) kill('SIGTERM');
          const port = /Server listening at http:[0-9./]+:([0-9]+)\s/.exec(text)?.[1];
          if (port === undefined || asked) return;
          asked = true;
          void fetch(`http://127.0.0.1:${port}/livez`).then((response) => response.text());
        },
      );
      t.equal(code, 0);
      t.match(out, /^\[[0-9:]{8}\] INFO: open http:\/\/localhost:[0-9]+\/ui\/\r?$/m);
      t.match(out, /^\[[0-9:]{8}\] INFO: GET \/livez: 200, [0-9.]+ ms\r?$/m);
      t.notMatch(out, /[{}]|WARN/, 'no JSON');
    },
  );
});
