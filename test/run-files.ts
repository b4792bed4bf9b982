/**
 * Runs the test files that are named, or all, each in a process of its own, some at once: `node dist/test/run-files.js [file…]`.
 *
 * tap's own runner starts every test, and whatever a test starts, behind loaders for coverage and TypeScript. We use neither, and they
 * cost every process, also each service that a test starts, a second or two of processor time.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

// A file takes a minute at most where nothing else runs; other machines are slower, and busy.
const SECONDS_MAX = 900;

const allFiles = (): string[] => {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  return (
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.js'))
      // Of what has been deleted, dist still has what was built of it.
      .filter((name) => existsSync(join('test', name.replace(/js$/, 'ts'))))
      .sort()
      .map((name) => relative(process.cwd(), join(folder, name)))
  );
};

// People see what tap makes of it; everything else reads TAP.
if (process.stdout.isTTY) {
  const shown = spawn(join('node_modules', '.bin', 'tap'), ['-'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  t.pipe(shown.stdin);
}

const named = process.argv.slice(2);
const files = named.length > 0 ? named : allFiles();
t.setTimeout(0);
t.jobs = 2;
t.plan(files.length);
for (const file of files) {
  void t.spawn(process.execPath, ['--enable-source-maps', file], {
    name: file,
    at: null,
    stack: '',
    buffered: true,
    timeout: SECONDS_MAX * 1000,
    env: { ...process.env, TAP_TIMEOUT: String(SECONDS_MAX) },
  });
}
