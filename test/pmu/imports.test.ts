/** Which room may import from which, read off the import lines; and what the engine must not touch. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LIBRARIES } from '../../src/build/libraries.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Source {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
  /** Imported files relative to the root (without extension); packages and node: modules as they are written. */
  readonly imports: readonly string[];
}

function sourcesIn(folder: string): Source[] {
  if (!existsSync(join(ROOT, folder))) {
    return [];
  }
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /(?<!\.d)\.tsx?$/.test(name))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(join(ROOT, path), 'utf8');
      return { path, text, imports: importsOf(path, text) };
    });
}

function importsOf(path: string, text: string): string[] {
  const written = [
    ...text.matchAll(/^(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/^import\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g),
    // What a worker is given to load.
    ...text.matchAll(/\bnew URL\(\s*['"](\.[^'"]+\.js)['"]/g),
  ].map((match) => match[1]!);
  return written.map((name) =>
    name.startsWith('.')
      ? relative(ROOT, resolve(ROOT, dirname(path), name)).replace(/\.js$/, '')
      : name,
  );
}

/** Import lines that leave nothing behind when the types are taken away. */
const TYPE_IMPORTS =
  /^(?:import|export)\s+(?:type\b[^;]*?|\{(?:\s*type\s+\w+(?:\s+as\s+\w+)?\s*,?)+\s*\})\s*from\s*['"][^'"]+['"];?/gm;

/** Import lines of a folder that do not stay within the allowed ones, as `file -> import`. */
function offences(folder: string, allowed: (name: string) => boolean): string[] {
  return sourcesIn(folder).flatMap(({ path, imports }) =>
    imports.filter((name) => !allowed(name)).map((name) => `${path} -> ${name}`),
  );
}

const within =
  (...folders: string[]) =>
  (name: string): boolean =>
    folders.some((folder) => name === folder || name.startsWith(`${folder}/`));

/** Closed lists: constants that everybody may name. */
const VOCABULARY = 'src/pmu/vocabulary';
const VOCABULARIES = [
  VOCABULARY,
  'src/model/vocabulary',
  'src/explorer/verdicts',
  'src/observations/vocabulary',
  'src/store/vocabulary',
];

t.test('the import lines are read', async (t) => {
  const sources = sourcesIn('src/pmu');
  t.ok(sources.length > 20, `${sources.length} files`);
  const kernels = sources.find(({ path }) => path === 'src/pmu/kernels/index.ts');
  t.ok(kernels?.imports.includes('src/pmu/kernels/pebs-v1'), 'with their targets resolved');
  const [job] = sourcesIn('src/service/explorations').filter(({ path }) => /\bjob/.test(path));
  t.ok(job?.imports.includes('src/model/pair-model'), 'modules for workers too');
});

t.test('the engine imports no package, no node: module, and nothing above it', async (t) => {
  t.strictSame(offences('src/pmu', within('src/pmu')), []);
});

t.test('perf knows nothing of KVM, nor of a kernel: it owns the interface', async (t) => {
  const below = ['src/pmu/perf', 'src/pmu/arch', 'src/pmu/fields', VOCABULARY];
  t.strictSame(offences('src/pmu/perf', within(...below)), []);
});

t.test('what a field is knows nobody, and arch no more than that', async (t) => {
  t.strictSame(offences('src/pmu/fields', within('src/pmu/fields')), []);
  const below = ['src/pmu/arch', 'src/pmu/fields', VOCABULARY];
  t.strictSame(offences('src/pmu/arch', within(...below)), []);
});

t.test("a kernel is a pure function: it knows perf's interface and the registers", async (t) => {
  t.strictSame(
    offences('src/pmu/kernels', within('src/pmu/kernels', 'src/pmu/perf', 'src/pmu/arch')),
    [],
  );
});

t.test('KVM may call perf and kernels, not the machine that steps it', async (t) => {
  const allowed = within(
    'src/pmu/kvm',
    'src/pmu/perf',
    'src/pmu/arch',
    'src/pmu/fields',
    'src/pmu/kernels',
  );
  t.strictSame(offences('src/pmu/kvm', allowed), []);
});

t.test('the machine does not know who drives it or judges it', async (t) => {
  const allowed = within(
    VOCABULARY,
    'src/pmu/machine',
    'src/pmu/kvm',
    'src/pmu/perf',
    'src/pmu/arch',
    'src/pmu/fields',
    'src/pmu/kernels',
  );
  t.strictSame(offences('src/pmu/machine', allowed), []);
});

t.test('the explorer does not know what it explores', async (t) => {
  t.strictSame(
    offences('src/explorer', (name) => within('src/explorer')(name) || name.startsWith('node:')),
    [],
    'it imports nothing of the repository and no package',
  );
  const telling = sourcesIn('src/explorer').filter(({ text }) =>
    /\b(pmu|msr|msrs|kernel|pebs|kvm|vcpu)\b/i.test(text),
  );
  t.strictSame(
    telling.map(({ path }) => path),
    [],
    'and has no word of the domain',
  );
});

t.test('vocabularies are constants: they import nothing', async (t) => {
  const sources = ['src/pmu', 'src/model', 'src/explorer', 'src/observations', 'src/store'].flatMap(
    sourcesIn,
  );
  const leaves = sources.filter(({ path }) => VOCABULARIES.includes(path.replace(/\.ts$/, '')));
  t.equal(leaves.length, VOCABULARIES.length);
  t.strictSame(
    leaves.flatMap(({ imports }) => imports),
    [],
  );
});

t.test('only wire.ts may use both the shapes of JSON and the values of the engine', async (t) => {
  const both = sourcesIn('src/service').filter(({ path, text }) => {
    const values = importsOf(path, text.replace(TYPE_IMPORTS, ''));
    const engine = within('src/pmu', 'src/model', 'src/explorer');
    return values.some(within('schemas')) && values.some(engine);
  });
  t.strictSame(
    both.map(({ path }) => path).filter((path) => path !== 'src/service/wire.ts'),
    [],
  );
});

/** The rooms of the house, each with those it may look into. Every file is in one of them: where two fit, in the longer. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'src/ui': [],
  'src/build': ['src/http'],
  'src/server': ['src/app', 'src/storage', 'src/config'],
  'src/app': ['routes', 'src/http', 'src/compose', 'src/storage', 'src/config'],
  'src/compose': [
    'src/service',
    'src/storage',
    'src/store',
    'src/jobs',
    'src/explorer',
    'src/config',
  ],
  'src/storage': ['src/store', 'src/config', 'src/private-postgres'],
  routes: ['src/http', 'src/service', 'schemas'],
  'src/http': ['src/service', 'src/config', 'schemas'],
  'src/service': [
    'src/observations',
    'src/model',
    'src/pmu',
    'src/explorer',
    'src/store',
    'src/jobs',
    'schemas',
    ...VOCABULARIES,
  ],
  'src/observations': ['src/model', 'src/pmu', 'src/explorer', ...VOCABULARIES],
  'src/model': ['src/pmu', 'src/explorer', ...VOCABULARIES],
  'src/jobs': ['src/store'],
  'src/store': ['src/store/vocabulary'],
  'src/pmu': [VOCABULARY],
  'src/explorer': ['src/explorer/verdicts'],
  'src/config': [],
  'src/private-postgres': [],
  schemas: VOCABULARIES,
  'src/pmu/vocabulary': [],
  'src/model/vocabulary': [],
  'src/explorer/verdicts': [],
  'src/observations/vocabulary': [],
  'src/store/vocabulary': [],
};

function roomOf(path: string): string | undefined {
  const fitting = Object.keys(ROOMS).filter((room) => within(room)(path));
  return fitting.sort((a, b) => b.length - a.length)[0];
}

t.test('the rooms of the house look downwards', async (t) => {
  const order = Object.keys(ROOMS);
  for (const [room, below] of Object.entries(ROOMS)) {
    for (const other of below) {
      t.ok(order.indexOf(other) > order.indexOf(room), `${other} lies below ${room}`);
    }
  }
  const wrong: string[] = [];
  for (const { path, imports } of ['src', 'routes', 'schemas'].flatMap(sourcesIn)) {
    const room = roomOf(path.replace(/\.tsx?$/, '')) ?? 'no room';
    const seen = [room, ...(ROOMS[room] ?? [])];
    if (room === 'no room') wrong.push(`${path} is in no room`);
    for (const name of imports.filter(within('src', 'routes', 'schemas', 'test'))) {
      if (!seen.includes(roomOf(name) ?? 'none')) wrong.push(`${path} -> ${name}`);
    }
  }
  t.strictSame(wrong, []);
});

t.test('the page is a client: it knows the API and two packages', async (t) => {
  const allowed = (name: string): boolean =>
    within('src/ui', 'preact', '@preact/signals')(name) || name.endsWith('.css');
  t.ok(sourcesIn('src/ui').length > 20);
  t.strictSame(offences('src/ui', allowed), []);
});

t.test('no clock, no luck and no BigInt where states are made', async (t) => {
  const forbidden =
    /\b(BigInt|Date|Math\.random|performance|setTimeout|setInterval|process)\b|\b\d+n\b/;
  for (const folder of [
    'src/pmu/fields',
    'src/pmu/arch',
    'src/pmu/machine',
    'src/pmu/perf',
    'src/pmu/kvm',
    'src/pmu/kernels',
    'src/pmu/invariants',
    'src/pmu/stepping',
    'src/pmu/cost-cases',
    'src/model',
  ]) {
    const found = sourcesIn(folder).filter(({ text }) => forbidden.test(code(text)));
    t.strictSame(
      found.map(({ path }) => path),
      [],
      folder,
    );
  }
  const explorer = sourcesIn('src/explorer').filter(({ text }) =>
    /\bBigInt\b|\bMath\.random\b|\bnew Date\b|\bDate\.now\b|\b\d+n\b/.test(code(text)),
  );
  t.strictSame(
    explorer.map(({ path }) => path),
    [],
    'src/explorer',
  );
});

t.test(
  'libraries that are bundled are loaded as such, and by nothing but the service',
  async (t) => {
    for (const name of LIBRARIES) {
      t.match(import.meta.resolve(name), `/dist/node_modules/${name}/index.js`);
    }
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dependencies?: object }>;
    };
    const { '': ours = {}, ...others } = packages;
    t.ok(LIBRARIES.every((name) => name in (ours.dependencies ?? {})));
    for (const [path, { dependencies = {} }] of Object.entries(others)) {
      for (const name of LIBRARIES) {
        if (name in dependencies) t.fail(`${path} would load another ${name}`);
      }
    }
  },
);

/** The text without its comments and quoted strings. */
function code(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}
