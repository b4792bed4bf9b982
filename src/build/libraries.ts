/**
 * Bundles libraries of many modules into a file each, in dist/node_modules, where Node looks before it looks into the node_modules
 * beside dist: module by module they would take a quarter of the time that the service takes to start.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { replaceFolder } from './folder.js';

/** Nothing but the service imports them, so that no process has two copies of one. */
export const LIBRARIES = [
  'bullmq',
  'fast-xml-parser',
  'kysely',
  'prom-client',
  'rate-limiter-flexible',
  'typebox',
] as const;

/** What others have too, what is loaded only where it is wanted, and what is not all JavaScript. */
const EXTERNAL = ['pg', 'ioredis', 'msgpackr', '@valkey/valkey-glide'];

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TARGET = join(ROOT, 'dist/node_modules');
/** In it: what the bundles were made from. */
const STAMP = '.made-from';

export async function bundleLibraries(): Promise<void> {
  const source = hashOf(fileURLToPath(import.meta.url), join(ROOT, 'package-lock.json'));
  if (readIfThere(join(TARGET, STAMP)) === source) return;
  await replaceFolder(TARGET, async (all) => {
    for (const [name, names] of Object.entries(exportsOf(LIBRARIES))) {
      await bundle(name, names, join(all, name));
    }
    writeFileSync(join(all, STAMP), source);
  });
}

/** Asked of a process outside dist, since here they may be the bundles of before. */
function exportsOf(libraries: readonly string[]): Record<string, string[]> {
  const code = `
    const names = async (name) => Object.keys(await import(name)).filter((one) => /^(?!default$)\\w+$/.test(one));
    const all = process.argv.slice(1).map(async (name) => [name, await names(name)]);
    console.log(JSON.stringify(Object.fromEntries(await Promise.all(all))));`;
  const args = ['--input-type=module', '--eval', code, ...libraries];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' }));
}

async function bundle(name: string, names: readonly string[], folder: string): Promise<void> {
  mkdirSync(folder);
  await build({
    absWorkingDir: ROOT,
    // By name, because a module of the old kind does not say what it exports.
    stdin: { contents: `export { ${names.join(', ')} } from '${name}';`, resolveDir: ROOT },
    outfile: join(folder, 'index.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: EXTERNAL,
    // Logs identify errors by the names of their classes.
    keepNames: true,
    // What such modules load, they load by `require`.
    banner: {
      js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
    },
    legalComments: 'eof',
    logLevel: 'warning',
  });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name, type: 'module', exports: './index.js' }),
  );
}

function hashOf(...files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
