/** The sheet of semantics, src/pmu/semantics.md: what is cited of it is there, and what it repeats of the code is the same. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CPU_MODELS } from '../../src/pmu/arch/cpu-models.js';
import { INVARIANTS } from '../../src/pmu/invariants/index.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { STEP_NAMES } from '../../src/pmu/machine/micro-step.js';
import { SYMBOLS, symbolsIn } from '../../src/pmu/symbols.js';
import { microSteps, scenarios } from '../../src/service/catalogue.js';

const SHEET = 'src/pmu/semantics.md';
const sheet = readFileSync(SHEET, 'utf8');

/** Its sections by number, each with its text. */
const sections = new Map(
  sheet
    .split(/^(?=#{2,3} \d)/m)
    .slice(1)
    .map((text) => [/^#+ ([\d.]*\d[a-f]?)/.exec(text)?.[1] ?? '', text]),
);

/** The first two or three cells of the rows of a section's tables, by the first. */
function rowsOf(section: string): Map<string, string[]> {
  const lines = (sections.get(section) ?? '').split('\n').filter((line) => line.startsWith('| '));
  const rows = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
  return new Map(rows.map(([first = '', ...others]) => [first, others]));
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|md)$/.test(name))
    .map((name) => join(folder, name));
}

const cited = [
  ...['src', 'schemas', 'routes', 'test'].flatMap(filesIn),
  'README.md',
  'CHANGELOG.md',
  'openapi.yaml',
].map((path) => ({ path, text: readFileSync(path, 'utf8') }));

t.test('every section that is cited is there', async (t) => {
  let seen = 0;
  for (const { path, text } of cited) {
    for (const [citation, section = ''] of text.matchAll(/§(\d+(?:\.\d+)?[a-f]?)/g)) {
      seen += 1;
      if (!sections.has(section)) t.fail(`${path} cites ${citation}`);
    }
  }
  t.ok(seen > 150, `${seen} citations`);
});

t.test('every hazard that is named has its row', async (t) => {
  const hazards = rowsOf('7.6');
  let seen = 0;
  for (const { path, text } of cited) {
    for (const [hazard] of text.matchAll(/\bH\d{1,2}\b(?!-)/g)) {
      seen += 1;
      if (!hazards.has(hazard)) t.fail(`${path} names ${hazard}`);
    }
  }
  t.ok(seen > 30, `${seen} hazards`);
});

t.test('every invariant has its row, word for word', async (t) => {
  const rows = rowsOf('7.7');
  for (const { id, predicate, where } of INVARIANTS) {
    t.strictSame(rows.get(id), [predicate, where], id);
  }
});

t.test('every micro-step has its row', async (t) => {
  const rows = new Set(
    [...rowsOf('3.1').keys(), ...rowsOf('4').keys()].map((row) => row.toLowerCase()),
  );
  for (const name of STEP_NAMES.slice(1)) {
    const row = name.split('_')[0] ?? '';
    t.ok(rows.has(row), `${SHEET} has a row ${row} in §3.1 or §4, for ${name}`);
  }
});

t.test('every kernel that was read is in the table of releases', async (t) => {
  const releases = [...rowsOf('0.2').keys()].join();
  for (const { id, certainty } of KERNELS) {
    if (certainty === 'read') t.ok(releases.includes(id.replace('linux-', '')), id);
  }
});

/** The words of predicates and formulas that are no letters: of language, of C, and names of registers and fields. */
const WORDS = new Set(
  `abort active all and at bit counter counters current event events exists fixed for group guest held host if in
  is its itself modelled no not of on only or quiet restarts since size software state stopped switched that the
  this tick time with write
  ACTIVE CPU DS_AREA I3o IA32_PEBS_ENABLE LBR MAX NULL PEBS PEBS_DATA_CFG VMX
  active_mask active_pebs_data_cfg event_list fixed_ctrl_val interrupts k5_switch k9_vmlaunch pebs_data_cfg
  pebs_enabled e i j k m`.split(/\s+/),
);

function checkLetters(t: Test, what: string, formula: string): void {
  const explained = new Set(symbolsIn(formula).flatMap(({ symbol }) => symbol.split(/[ .]/)));
  for (const [word] of formula.matchAll(/[A-Za-z_]\w*/g)) {
    if (!WORDS.has(word) && !explained.has(word)) t.fail(`${what}: ${word} in "${formula}"`);
  }
}

t.test('every letter in a predicate or formula is explained', async (t) => {
  for (const { id, predicate } of INVARIANTS) checkLetters(t, id, predicate);
  for (const { id, formulas } of KERNELS) {
    for (const formula of Object.values(formulas)) checkLetters(t, id, formula);
  }
  const all = [
    ...INVARIANTS.map(({ predicate }) => predicate),
    ...KERNELS.flatMap(({ formulas }) => Object.values(formulas)),
  ].join('\n');
  t.strictSame(symbolsIn(all), SYMBOLS, 'and every explanation is of a letter that is used');
  const found = (formula: string) => symbolsIn(formula).map(({ symbol }) => symbol);
  t.strictSame(found('IA32_DS_AREA / c.ds'), ['c.ds'], 'parts of longer names are none');
  t.strictSame(found('PE & ~P'), ['PE', 'P']);
});

/** A file of the kernel with a function, a table or a line in it; or, of what hardware does, a section of the SDM. */
const CODE = /^(Linux \d[\d.]*\d )?(arch\/x86|kernel)\/[\w/-]+\.[ch](:\d+| \w+(\(\)|\[\]))/;
const MANUAL = /^SDM vol\. 3, [A-Z]/;

function checkSources(t: Test, what: string, sources: readonly string[]): void {
  const [first = ''] = sources;
  t.ok(CODE.test(first) || MANUAL.test(first), `${what}: ${first}`);
  const sections = sources.filter((source) => source.includes('§'));
  for (const source of sections) t.ok(source.startsWith(`${SHEET} §`), `${what}: ${source}`);
  t.equal(sections.at(-1), sections.length === 0 ? undefined : sources.at(-1), `${what}: last`);
}

t.test(
  'sources name the file and the function first, and the section of the sheet last',
  async (t) => {
    for (const [kind, entries] of Object.entries({
      invariant: INVARIANTS,
      kernel: KERNELS,
      'CPU model': CPU_MODELS,
      'micro-step': microSteps,
    })) {
      for (const { id, sources } of entries) checkSources(t, `${kind} ${id}`, sources);
    }
    for (const { id, sources } of scenarios) {
      if (sources !== undefined) checkSources(t, `scenario ${id}`, sources);
    }
    for (const { id, sources } of [...INVARIANTS, ...KERNELS, ...microSteps]) {
      t.ok(sources.at(-1)?.startsWith(`${SHEET} §`), `${id} cites the sheet`);
    }
  },
);
