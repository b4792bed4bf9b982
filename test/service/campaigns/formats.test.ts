/** The results of a campaign as CSV, JUnit and KTAP. */
import t from 'tap';
import type { CampaignCell, CampaignResults } from '../../../schemas/campaign.js';
import { campaignCsv } from '../../../src/service/campaigns/formats/csv.js';
import { toJunit } from '../../../src/service/reports/junit.js';
import { toKtap } from '../../../src/service/reports/ktap.js';
import { campaignReport } from '../../../src/service/reports/of-campaign.js';

const names = { kernel: 'upstream-base', cpu_model: 'emerald-rapids', scenario: 'race' };
const clean = { id: 'I1', violated_walks: 0, rate: 0, rate_low: 0, rate_high: 0.003826745 };
const violated: CampaignCell = {
  ...names,
  status: 'violated',
  walks: 1000,
  steps: 99_000,
  properties: [
    {
      id: 'I1',
      violated_walks: 12,
      rate: 0.012,
      rate_low: 0.0068773,
      rate_high: 0.0208595,
      first: {
        walk: 3,
        walk_steps: 61,
        steps: 3,
        path: '0/3/1',
        host: { cpu_model: 'emerald-rapids', kernel: 'upstream-base' },
        script: [],
      },
    },
    { ...clean, id: "I2'" },
  ],
};
const RESULTS: CampaignResults = {
  id: 'camp_1a',
  name: 'nightly',
  state: 'cancelled',
  seed: 42,
  walks: 1000,
  steps_per_walk: 100,
  cells: [
    violated,
    {
      ...names,
      cpu_model: 'skylake-sp',
      status: 'skipped',
      reason: 'no PEBS',
      walks: 0,
      steps: 0,
      properties: [],
    },
    {
      ...names,
      kernel: 'fixed',
      status: 'clean',
      walks: 1000,
      steps: 100_000,
      properties: [clean],
    },
    {
      ...names,
      kernel: 'fixed',
      cpu_model: 'ice-lake',
      status: 'incomplete',
      walks: 10,
      steps: 1000,
      properties: [{ ...clean, rate_high: 0.2775 }],
    },
    {
      ...names,
      kernel: 'none',
      status: 'skipped',
      reason: 'no PEBS',
      walks: 0,
      steps: 0,
      properties: [],
    },
  ],
};

/** Names and reasons that no id can be, in case one ever gets in. */
const HOSTILE: CampaignResults = {
  ...RESULTS,
  name: '"><script>',
  cells: [
    {
      ...violated,
      kernel: '=cmd|"/c calc"!A0',
      cpu_model: '@SUM(1,2)\nok 7 forged',
      scenario: 'a]]> & <b/> # SKIP\u0000\uD800\u{1F600}',
      properties: [{ ...violated.properties[0]!, id: '+I1' }],
    },
    {
      ...names,
      kernel: '=cmd|"/c calc"!A0',
      status: 'skipped',
      reason: '-1+1\r\nok 9 forged\u2028"quoted"',
      walks: 0,
      steps: 0,
      properties: [],
    },
  ],
};

const STANDING = {
  created_at: '2026-11-27T12:00:00.000Z',
  finished_at: '2026-11-27T12:01:30.500Z',
};
const reportOf = (results: CampaignResults) =>
  campaignReport(results, STANDING, [60.25, 0, 12, 0.5, 0], new Date());
const campaignJunit = (results: CampaignResults): string => toJunit(reportOf(results));
const campaignKtap = (results: CampaignResults): string => toKtap(reportOf(results));

/** A reader of RFC 4180 of its own. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g,
  )) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (end === '\r\n') rows.push([]);
  }
  rows.pop();
  return rows;
}

t.test('CSV has a row for each cell and invariant', async (t) => {
  const text = campaignCsv(RESULTS);
  const rows = readCsv(text);
  t.equal(text.split('\r\n').length, 8, 'a heading, six rows, and the last line ends');
  t.ok(rows.every((row) => row.length === rows[0]?.length));
  t.equal(
    text.split('\r\n')[0],
    'kernel,cpu_model,scenario,status,reason,seed,steps_per_walk,walks,steps,property,violated_walks,rate,rate_low,rate_high,first_walk,first_walk_steps,first_steps',
  );
  t.equal(
    text.split('\r\n')[1],
    'upstream-base,emerald-rapids,race,violated,,42,100,1000,99000,I1,12,0.012,0.0068773,0.0208595,3,61,3',
  );
  t.equal(
    text.split('\r\n')[3],
    'upstream-base,skylake-sp,race,skipped,no PEBS,42,100,0,0,,,,,,,,',
  );
});

t.test('CSV quotes what it must, and no text is a formula', async (t) => {
  const [, first, second] = readCsv(campaignCsv(HOSTILE));
  t.equal(first?.[0], '\'=cmd|"/c calc"!A0');
  t.equal(first?.[1], "'@SUM(1,2)\nok 7 forged");
  t.equal(first?.[9], "'+I1");
  t.equal(second?.[4], '\'-1+1\r\nok 9 forged\u2028"quoted"');
});

/** A small reader of XML that throws at what is not well-formed; it gives the elements in order. */
function readXml(
  text: string,
): { name: string; attributes: Record<string, string>; text: string }[] {
  const elements: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: (typeof elements)[number][] = [];
  const body = text.replace(/^<\?xml version="1.0" encoding="UTF-8"\?>\n/, '');
  const legal = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u;
  if (body === text || !legal.test(text))
    throw new Error('no declaration, or a forbidden character');
  const decoded = (raw: string): string => {
    if (/&(?!(amp|lt|gt|quot|#10);)|<|\]\]>/.test(raw)) throw new Error(`not escaped: ${raw}`);
    const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#10': '\n' };
    return raw.replace(/&(.*?);/g, (_, entity: string) => entities[entity] ?? '');
  };
  let at = 0;
  const token = /<(\/?)([a-z]+)((?: [a-z]+="[^"<]*")*)(\/?)>|([^<]+)/y;
  while (at < body.length) {
    token.lastIndex = at;
    const match = token.exec(body);
    if (match === null) throw new Error(`not XML: ${body.slice(at, at + 60)}`);
    at = token.lastIndex;
    const [, close, name = '', attributes = '', empty, characters] = match;
    if (characters !== undefined) {
      const inside = open.at(-1);
      if (inside !== undefined) inside.text += decoded(characters);
      continue;
    }
    if (close === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes something else`);
      continue;
    }
    const values = [...attributes.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(
      ([, key = '', value = '']) => [key, decoded(value)] as const,
    );
    const element = { name, attributes: Object.fromEntries(values), text: '' };
    elements.push(element);
    if (empty !== '/') open.push(element);
  }
  if (open.length > 0) throw new Error('not closed');
  return elements;
}

t.test('JUnit has a suite for each kernel and a case for each cell', async (t) => {
  const elements = readXml(campaignJunit(RESULTS));
  const named = (name: string) => elements.filter((element) => element.name === name);
  t.strictSame(named('testsuites')[0]?.attributes, {
    name: 'nightly',
    tests: '5',
    failures: '1',
    errors: '1',
    skipped: '2',
    time: '90.5',
  });
  t.strictSame(
    named('testsuite').map(({ attributes }) => [attributes.name, attributes.tests]),
    [
      ['upstream-base', '2'],
      ['fixed', '2'],
      ['none', '1'],
    ],
  );
  t.strictSame(
    named('testcase').map(
      ({ attributes }) => `${attributes.classname} ${attributes.name} ${attributes.time ?? '-'}`,
    ),
    [
      'pebslab.upstream-base.emerald-rapids race 60.25',
      'pebslab.upstream-base.skylake-sp race -',
      'pebslab.fixed.emerald-rapids race 12',
      'pebslab.fixed.ice-lake race 0.5',
      'pebslab.none.emerald-rapids race -',
    ],
  );
  t.strictSame(
    named('testsuite').map(({ attributes }) => attributes.time),
    ['60.25', '12.5', '0'],
    'seconds, as they were measured',
  );
  const properties = named('property').map(
    ({ attributes }) => `${attributes.name}=${attributes.value}`,
  );
  for (const wanted of ['seed=42', 'walks=1000', 'steps_per_walk=100']) {
    t.equal(properties.filter((one) => one === wanted).length, 3, wanted);
  }
  const [failure] = named('failure');
  t.equal(failure?.attributes.type, 'fail');
  t.equal(
    failure?.attributes.message,
    'I1: 12 of 1000 walks, rate 0.012 (95 % 0.006877 to 0.02086)',
  );
  t.match(failure?.text, /first walk 3 \(seed 42, steps_per_walk 100\).*shrunk to 3: 0\/3\/1/);
  t.match(named('error')[0]?.attributes, {
    type: 'miss',
    message: 'cancelled after 10 of 1000 walks',
  });
  t.match(named('skipped')[0]?.attributes, { message: 'no PEBS' });
});

t.test('JUnit stays well-formed whatever a name says', async (t) => {
  const elements = readXml(campaignJunit(HOSTILE));
  t.equal(elements[0]?.attributes.name, '"><script>');
  const cases = elements.filter(({ name }) => name === 'testcase');
  t.equal(cases[0]?.attributes.name, 'a]]> & <b/> # SKIP\uFFFD\uFFFD\u{1F600}');
  t.equal(cases[0]?.attributes.classname, 'pebslab.=cmd|"/c calc"!A0.@SUM(1,2)\nok 7 forged');
});

t.test('KTAP nests the cells of a kernel', async (t) => {
  t.equal(
    campaignKtap(RESULTS),
    `KTAP version 1
1..3
# pebslab campaign=camp_1a state=cancelled seed=42 walks=1000 steps_per_walk=100
  KTAP version 1
  # Subtest: upstream-base
  1..2
  # I1: 12 of 1000 walks, rate 0.012 (95 % 0.006877 to 0.02086)
  # first walk 3 (seed 42, steps_per_walk 100), violated after 61 steps, shrunk to 3: 0/3/1
  not ok 1 emerald-rapids.race # seed=42 walk=3
  ok 2 skylake-sp.race # SKIP no PEBS
not ok 1 upstream-base # failed=1
  KTAP version 1
  # Subtest: fixed
  1..2
  ok 1 emerald-rapids.race
  not ok 2 ice-lake.race # TIMEOUT cancelled after 10 of 1000 walks
not ok 2 fixed # TIMEOUT 1 of 2
  KTAP version 1
  # Subtest: none
  1..1
  ok 1 emerald-rapids.race # SKIP no PEBS
ok 3 none # SKIP all are skipped
`,
  );
});

t.test('KTAP takes no line and no directive from a name', async (t) => {
  const lines = campaignKtap(HOSTILE).trimEnd().split('\n');
  for (const line of lines) {
    t.match(line, /^(KTAP version 1|1\.\.\d+|# .*| {2}.*|(not )?ok \d+ [\w.+-]+( # .*)?)$/);
  }
  const outcomes = lines.filter((line) => /^\s*(not )?ok /.test(line));
  t.equal(outcomes.length, 3, 'no result is forged');
  t.match(outcomes[0], /^ {2}not ok 1 [\w.+-]+ # seed=42 walk=3$/);
  t.equal(outcomes[1], '  ok 2 emerald-rapids.race # SKIP -1+1 ok 9 forged "quoted"');
});
