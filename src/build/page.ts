/** Bundles the page of src/ui into dist/ui: hashed names, with `.br` and `.gz` beside each file that gets smaller. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { replaceFolder } from './folder.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SOURCE = join(ROOT, 'src/ui');
const TARGET = join(ROOT, 'dist/ui');
const ADDRESS = '/ui/';

export async function bundlePage(): Promise<void> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join(SOURCE, 'main.tsx'), join(SOURCE, 'icon.svg')],
    outdir: TARGET,
    entryNames: 'assets/[name]-[hash]',
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    tsconfig: join(SOURCE, 'tsconfig.json'),
    loader: { '.svg': 'copy' },
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const names = Object.keys(metafile.outputs).map((path) => relative('dist/ui', path));
  const page = readFileSync(join(SOURCE, 'index.html'), 'utf8').replace(
    /%(js|css|svg)%/g,
    (_, kind: string) => ADDRESS + names.find((name) => name.endsWith(`.${kind}`)),
  );
  await replaceFolder(TARGET, async (folder) => {
    for (const { path, contents } of outputFiles) {
      put(join(folder, relative(TARGET, path)), contents);
    }
    put(join(folder, 'index.html'), Buffer.from(page));
  });
}

function put(path: string, contents: Uint8Array): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, contents);
  for (const [ending, squeeze] of [
    ['br', brotliCompressSync] as const,
    ['gz', gzipSync] as const,
  ]) {
    const small = squeeze(contents);
    if (small.length < contents.length) writeFileSync(`${path}.${ending}`, small);
  }
}
