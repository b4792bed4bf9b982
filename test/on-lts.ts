/** Runs the tests with the Node.js that runs this, if it is an LTS release: `npm run test:lts`, `npm run tap:lts -- <files>`. */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const { lts } = process.release;
if (lts === undefined) {
  process.stderr.write(`Node.js ${process.version} is no LTS release.\n`);
  process.exit(1);
}
process.stderr.write(`Node.js ${process.version} (${lts})\n`);
const runner = fileURLToPath(new URL('./with-postgres.js', import.meta.url));
const files = fileURLToPath(new URL('./run-files.js', import.meta.url));
// First in the path: whatever the tests start by the name of node is to be this one, too.
const PATH = `${dirname(process.execPath)}:${process.env.PATH ?? ''}`;
const { status } = spawnSync(
  process.execPath,
  [runner, process.execPath, files, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    env: { ...process.env, PATH },
  },
);
process.exitCode = status ?? 1;
