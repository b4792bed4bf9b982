/** What has a name is in a document: kernels, CPU models, invariants, problem codes, routes, tags, micro-steps. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { PROBLEM_CODES } from '../../schemas/problem-codes.js';
import { VARIABLES } from '../../src/config/environment.js';
import { CPU_MODELS } from '../../src/pmu/arch/cpu-models.js';
import { INVARIANTS } from '../../src/pmu/invariants/index.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { STEP_NAMES } from '../../src/pmu/machine/micro-step.js';

interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
}

const readme = readFileSync('README.md', 'utf8');
const openapi = readFileSync('openapi.yaml', 'utf8');
const document = parse(openapi) as {
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
/** The names that stand in backticks, as the README writes names. */
const named = new Set([...readme.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name));

t.test('the README names what the catalogue has', async (t) => {
  for (const [what, entries] of Object.entries({
    kernel: KERNELS,
    'CPU model': CPU_MODELS,
    invariant: INVARIANTS,
  })) {
    for (const { id } of entries) t.ok(named.has(id), `README.md names the ${what} ${id}`);
  }
});

t.test('the README names every micro-step that an NMI can be injected at', async (t) => {
  for (const name of STEP_NAMES) {
    if (name === 'rest') continue;
    const written = name.startsWith('k5_switch:') ? 'k5_switch:<MSR>' : name;
    t.ok(named.has(written), `README.md names the micro-step ${written}`);
  }
});

t.test('the README says what can be configured', async (t) => {
  for (const name of VARIABLES) t.ok(named.has(name), name);
});

t.test('openapi.yaml has every problem code', async (t) => {
  for (const code of PROBLEM_CODES) t.ok(openapi.includes(`/problems/${code}`), code);
});

t.test('every operation has a tag that is explained, and every tag has operations', async (t) => {
  const used = new Set<string>();
  for (const operations of Object.values(document.paths)) {
    for (const { tags } of Object.values(operations)) for (const tag of tags) used.add(tag);
  }
  t.strictSame([...used].sort(), document.tags.map(({ name }) => name).sort());
});

t.test('the README tells of every path', async (t) => {
  const table = readme.slice(readme.indexOf('## The API'));
  for (const path of Object.keys(document.paths)) {
    const last =
      path
        .split('/')
        .filter((part) => !part.startsWith('{'))
        .at(-1) ?? '';
    if (path.startsWith('/problems')) continue;
    t.ok(new RegExp(`/${last.replace('.', '\\.')}\\b`).test(table), path);
  }
});
