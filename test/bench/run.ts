/** Runs every `*.bench.js` beside it in a process of its own, one after another, undisturbed. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const directory = fileURLToPath(new URL('.', import.meta.url));
const wanted = process.argv[2] ?? '';
const files = readdirSync(directory).filter(
  (file) => file.endsWith('.bench.js') && file.includes(wanted),
);

for (const file of files.sort()) {
  process.stdout.write(`\n# ${file.replace('.bench.js', '')}\n`);
  const { status } = spawnSync(process.execPath, [`${directory}${file}`], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
