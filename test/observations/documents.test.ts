/** Documents of labs and test systems: every capture as EXPECT.md says, and what is like them. */
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { RefusedText } from '../../src/observations/reading.js';
import type { RecordView } from '../../src/observations/record-view.js';
import {
  CAPTURED_DOCUMENTS,
  capture,
  type Read,
  read,
  readOrRefused,
  readPieces,
} from './captures.js';

/** A record in a line: `test fail pebs-stuck/cpu3 (why) {"unit":"bits"}`. */
function shown(record: RecordView): string {
  const { kind, cpu, result, name, text, value, attributes } = record;
  const parts = [
    kind,
    cpu === null ? '' : `cpu${cpu}`,
    result ?? '',
    name ?? '',
    value ?? '',
    text === undefined ? '' : `(${text})`,
  ];
  const said = attributes === undefined ? [] : [JSON.stringify(attributes)];
  return [...parts, ...said].filter((part) => part !== '').join(' ');
}

const brief = ({ answer, records }: Read) => [
  `${answer.format}: ${answer.verdict}, ${answer.class}`,
  ...records.map(shown),
];

const without = (text: string): string => text.replace(/ \{.*$/, '');

function refusal(text: string): RefusedText {
  try {
    read(text);
  } catch (error) {
    if (error instanceof RefusedText) return error;
    throw error;
  }
  throw new Error('it is not refused');
}

const READINGS = ['reading cpu3 0x0000000000000001', 'reading cpu4 0x0000000000000000'];

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'junit-pytest-error.txt': [
    'junit: none, code',
    'job pytest {"machine":"host-17","duration_seconds":"31.2"}',
    'test fail test_pebs/test_stuck[cpu3] (AssertionError: 3f1=0x1) {"duration_seconds":"0.412"}',
    'test error test_pebs/test_stuck[cpu4] (failed on setup with "TimeoutError") {"duration_seconds":"30"}',
  ],
  'kcidb-v5_3-tests.json': [
    'kcidb: none, code',
    'job kcidb {"version":"5.3"}',
    'test fail kvm.pmu.pebs_enabled_stuck {"id":"pebslab:obs-1","duration_seconds":"3.2","platform":"emerald-rapids","compatible":"intel,emerald-rapids","lab":"pool-a","tree":"mainline","repository":"https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git","commit":"efb44d93a620c294c049db37c810c8ab7ee1122d","log_excerpt":"cpu=3 3f1=0000000000000001\\n"}',
  ],
  'lava-callback-infra-error.json': [
    'lava-callback: none, harness',
    'job error 17574686 (Infrastructure: bootloader-commands timed out after 290 seconds) {"state":"incomplete","machine":"host-18","description":"pebs-stuck on host-18","submitted":"2026-11-20 09:58:00+00:00","ended":"2026-11-20 10:04:00+00:00"}',
  ],
  'lava-callback-results.json': [
    'lava-callback: none, code',
    'job 17574685 {"state":"complete","machine":"host-17","description":"pebs-stuck on host-17","submitted":"2026-11-20 09:58:00.000001+00:00","started":"2026-11-20 09:59:00+00:00","ended":"2026-11-20 10:04:00+00:00"}',
    'test fail pebs-stuck/cpu3 {"suite":"0_pebs-stuck","measurement":"1.0000000000","unit":"bits","log_lines":"120-131"}',
  ],
  'lava-results-export.txt': [
    'lava-results: none, code',
    'job 17574685',
    'test fail pebs-stuck/cpu3 {"suite":"0_pebs-stuck","log_lines":"120-131"}',
  ],
  'maestro-event-job.json': [
    'maestro: none, not_applicable',
    'job 6a94aeafc5867fba94731e67 {"kind":"job","name":"pebs-stuck","group":"pebs-stuck-pull-labs","path":"checkout, kbuild-gcc-14-x86, pebs-stuck","op":"created","state":"available","platform":"host-17","runtime":"pull-labs-demo","definition":"https://artifacts.example/pull_labs_jobs/20261120/abcdef0123456789.json","sequence_id":"12345","timeout":"2026-11-20T15:58:00Z"}',
  ],
  'pull-labs-callback-gz-log.json': [
    'pull-labs: inconclusive, code',
    'job pull-labs {"machine":"host-17","summary":"{\\"total\\":1,\\"failed\\":1}"}',
    'test fail pebs-stuck',
    ...READINGS,
  ],
  'pull-labs-callback-infra.json': [
    'pull-labs: none, harness',
    'job error pull-labs (Infrastructure: no power) {"machine":"host-18","summary":"{\\"total\\":0,\\"failed\\":0}"}',
  ],
  'pull-labs-callback.json': [
    'pull-labs: inconclusive, code',
    'job pull-labs {"machine":"host-17","summary":"{\\"total\\":2,\\"failed\\":1}"}',
    'test fail pebs-stuck {"duration_seconds":"9.35","metrics":"{\\"stuck_cpus\\":1}"}',
    'test fail pebs-stuck/cpu3',
    'test pass pebs-stuck/cpu4',
    ...READINGS,
  ],
  'pull-labs-job.json': [
    'pull-labs-job: none, not_applicable',
    'job 6a94aeafc5867fba94731e67 {"platform":"host-17","arch":"x86_64","requirements":"kvm","callback":"https://pipeline.example/node/6a94aeafc5867fba94731e67","artifact.kernel":"https://artifacts.example/bzImage","artifact.modules":"https://artifacts.example/modules.tar.xz","artifact.kselftest":"https://artifacts.example/kselftest.tar.xz","other.parameters":"{\\"K\\":\\"V\\"}","other.integrity.sha256._comment":"Checksums would be populated from metadata.json if available"}',
    'task boot-test-6a94aeaf {"type":"boot","timeout_s":"600"}',
    'task kvm-1 {"type":"kselftest","depends":"boot-test-6a94aeaf","timeout_s":"1800","subset":"kvm","parameters":"kvm"}',
  ],
  'tuxrun-results.json': [
    'tuxsuite: none, code',
    'job tuxsuite',
    'test fail pebs-stuck/cpu3 ([2026-11-20T10:00:03.000000] <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=cpu3 RESULT=fail>) {"suite":"pebs-stuck"}',
    'test skip pebs-stuck/cpu4 {"suite":"pebs-stuck"}',
  ],
  'tuxsuite-results-prefixed.json': [
    'tuxsuite: none, harness',
    'job tuxsuite {"failed":"login-action, job"}',
    'test error lava/job (lava/login-action failed)',
    'test pass pebs-stuck/cpu3 {"suite":"0_pebs-stuck"}',
  ],
};

t.test('every captured document gives what it says, and one is refused', async (t) => {
  for (const name of CAPTURED_DOCUMENTS) {
    if (name === 'kcidb-v4-null.json') continue;
    t.strictSame(brief(read(capture(name))), EXPECTED[name], name);
    t.strictSame(
      brief(read(capture(name).replaceAll('\n', '\r\n'))).map(without),
      EXPECTED[name]?.map(without),
      `${name} with CRLF`,
    );
  }
  const { pointer, message } = refusal(capture('kcidb-v4-null.json'));
  t.equal(pointer, '/checkouts/0/git_commit_name');
  t.match(message, /^\/checkouts\/0\/git_commit_name is null/);
  const upgradable = capture('kcidb-v4-null.json').replace(', "git_commit_name": null', '');
  t.match(brief(read(upgradable)), ['kcidb: none, code', /version":"4.3"/, /^test fail kvm.pmu /]);
});

t.test('a document that is cut anywhere says nothing that the whole does not say', async (t) => {
  for (const name of CAPTURED_DOCUMENTS) {
    if (name === 'kcidb-v4-null.json') continue;
    const text = capture(name);
    const whole = read(text);
    const said = new Set(whole.records.map(shown));
    for (let at = 1; at < text.length; at += 1) {
      const cut = readOrRefused(text.slice(0, at));
      if (cut === null) continue;
      const invented = cut.records.map(shown).filter((one) => !said.has(one));
      // Without its last items a list is a list.
      if (invented.length > 0) t.strictSame(invented, [], `${name} cut at ${at}`);
      if (cut.answer.class === 'code') t.equal(whole.answer.class, 'code', `${name} at ${at}`);
    }
  }
});

t.test('a document in pieces is the same document', async (t) => {
  for (const name of CAPTURED_DOCUMENTS) {
    if (name === 'kcidb-v4-null.json') continue;
    const text = capture(name);
    const pieces = [text.slice(0, 1), text.slice(1, 90), text.slice(90)];
    t.strictSame(brief(readPieces(pieces)), EXPECTED[name], name);
  }
});

const pullLabs = (body: object): Read => read(JSON.stringify({ metadata: {}, ...body }));
const results = ({ records }: Read): string[] =>
  records.filter(({ kind }) => kind === 'test').map(({ name, result }) => `${name} ${result}`);

t.test('PULL_LABS: statuses that nobody knows never pass', async (t) => {
  const odd = pullLabs({
    tests: { a: { status: 'PASSED' }, b: 'pass', c: {}, d: { status: null }, e: ['pass'] },
  });
  t.strictSame(
    results(odd),
    ['a', 'b', 'c', 'd', 'e'].map((name) => `${name} unknown`),
  );
  t.equal(odd.answer.class, 'harness');
  const mixed = pullLabs({ tests: { a: { status: 'ok' }, b: { status: 'weird' } } });
  t.equal(mixed.answer.class, 'harness', 'what is not known is not passed');
  t.equal(pullLabs({ tests: { a: { status: 'ok' } } }).answer.class, 'code');
  t.equal(pullLabs({ tests: { a: { status: 'constructor' } } }).answer.class, 'harness');
});

t.test('PULL_LABS: what the lab broke is neither failed nor passed', async (t) => {
  for (const [what, body] of Object.entries({
    'code at the top': { error_code: 'Infrastructure', tests: { a: { status: 'fail' } } },
    'code in metadata': {
      metadata: { error_code: 'Infrastructure' },
      tests: { a: { status: 'pass' } },
    },
    'no test': { tests: {}, summary: { total: 0, failed: 0 } },
    'all errors': { tests: { a: { status: 'error' }, b: { status: 'error' } } },
    'a clean log': {
      error_code: 'Infrastructure',
      artifacts: {
        log: '# pebs_events=0 ts=2026-11-20T10:00:00Z\ncpu=3 3f1=0000000000000000\n# pebs_events=0 ts=2026-11-20T10:00:09Z\ncpu=3 3f1=0000000000000000\n',
      },
    },
  })) {
    t.equal(pullLabs(body).answer.class, 'harness', what);
  }
});

t.test('PULL_LABS: a log may be packed, and is bounded', async (t) => {
  const log =
    '# pebs_events=0 ts=2026-11-20T10:00:00Z\ncpu=3 3f1=0000000000000001\n# pebs_events=0 ts=2026-11-20T10:00:09Z\ncpu=3 3f1=0000000000000001\n';
  const of = (text: string) =>
    pullLabs({ tests: { a: { status: 'fail' } }, artifacts: { log: text } });
  const plain = `base64:${Buffer.from(log).toString('base64')}`;
  const packed = `base64:${gzipSync(log).toString('base64')}`;
  for (const text of [log, plain, packed]) {
    const { answer } = of(text);
    t.match(answer, { verdict: 'stuck', cpus: [{ cpu: 3, verdict: 'stuck' }] });
    t.strictSame(answer.findings[0]?.lines, [1, 2, 3, 4], 'lines of the log');
  }
  const bomb = gzipSync(Buffer.alloc(33 * 2 ** 20)).toString('base64');
  const refused = (text: string) =>
    refusal(JSON.stringify({ metadata: {}, tests: {}, artifacts: { log: text } }));
  t.match(refused(`base64:${bomb}`), { pointer: '/artifacts/log', message: /more than \d+ bytes/ });
  t.match(refused(`base64:${bomb.slice(0, 400)}`), { message: /no whole gzip file/ });
  t.match(refused('base64:%%%'), { message: /not base64/ });
  t.equal(of('cpu=3 3f1=00000000').answer.cut, true, 'a last line without an end counts as cut');
  t.equal(of('nothing that anybody knows').records.length, 2, 'a log may say nothing');
});

const LAVA = { id: 7, actual_device_id: 'host-1', submit_time: 'None', status_string: 'complete' };
const lava = (results: Record<string, string>, more: object = {}): Read =>
  read(JSON.stringify({ ...LAVA, health_string: 'Complete', ...more, results }));

t.test('LAVA: results, errors and what is odd', async (t) => {
  const test = (result: string) => ({ '1_s': `- {name: c, suite: 1_s, result: ${result}}` });
  t.strictSame(results(lava(test('pass'))), ['s/c pass']);
  t.equal(lava(test('pass')).answer.class, 'code');
  for (const odd of ['unknown', 'PASS', '~', 'true', 'toString']) {
    t.strictSame(results(lava(test(odd))), ['s/c unknown'], odd);
    t.equal(lava(test(odd)).answer.class, 'harness');
  }
  const job = (type: string) => ({
    ...test('fail'),
    lava: `- {name: job, suite: lava, result: fail, metadata: {error_type: ${type}, error_msg: why}}`,
  });
  for (const type of ['Infrastructure', 'Bug', 'Configuration', 'Canceled']) {
    t.equal(lava(job(type), { health_string: 'Incomplete' }).answer.class, 'harness', type);
  }
  t.equal(lava(job('Job'), { health_string: 'Incomplete' }).answer.class, 'code', 'a test failed');
  for (const health_string of ['Incomplete', 'Canceled', 'Unknown']) {
    t.equal(lava(test('pass'), { health_string }).answer.class, 'harness', health_string);
  }
  const retried = lava({ lava: '- {name: x, suite: lava, result: fail}', ...test('pass') });
  t.equal(retried.answer.class, 'code', 'an action that was tried again is no failure');
  t.equal(lava({ s: '- {name: c}' }).answer.rejected_total, 1);
  const yaml = refusal(JSON.stringify({ ...LAVA, results: { 'a/b': '- {name: [' } }));
  t.match(yaml, { pointer: '/results/a~1b', message: /is not YAML/ });
  t.match(refusal(JSON.stringify({ ...LAVA, id: null })), { pointer: '/id' });
});

t.test('LAVA: its log is read, but its results count once', async (t) => {
  const log =
    '- {"dt": "2026-11-20T10:00:03.000000", "lvl": "target", "msg": "cpu=3 3f1=0000000000000001"}\n' +
    '- {"dt": "2026-11-20T10:00:04.000000", "lvl": "results", "msg": {"definition": "1_s", "case": "c", "result": "pass"}}\n';
  const both = lava({ '1_s': '- {name: c, suite: 1_s, result: fail}' }, { log });
  t.strictSame(results(both), ['s/c fail']);
  t.match(both.records.at(-1), { kind: 'reading', cpu: 3, line: 1 });
  t.strictSame(results(lava({}, { log })), ['1_s/c pass'], 'without results, the log has them');
});

t.test("JUnit: LAVA's shows unknown results as passes, and says so", async (t) => {
  const xml = (suite: string) =>
    read(
      `<testsuites><testsuite name="lava"><testcase name="validate" classname="lava"/></testsuite>` +
        `<testsuite name="${suite}"><testcase name="c" classname="${suite}" time="1.5"/>` +
        `<testcase name="d" classname="${suite}"><skipped/></testcase></testsuite></testsuites>`,
    );
  t.match(
    xml('0_s').records.filter(({ kind }) => kind === 'test'),
    [
      { name: 's/c', result: 'pass', text: /unknown/ },
      { name: 's/d', result: 'skip' },
    ],
  );
  const plain = read('<testsuite name="x"><testcase name="a&#x41;&lt;&amp;"/></testsuite>');
  t.match(plain.records.at(-1), { name: 'aA<&', result: 'pass', text: undefined });
  const odd = read(
    '<testsuite name="g"><testcase name="a" status="run" result="completed"/><testcase name="b" status="notrun"/>' +
      '<testcase name="c" status="weird"/><testcase name="d"><error/><failure/></testcase></testsuite>',
  );
  t.strictSame(results(odd), ['a pass', 'b skip', 'c unknown', 'd fail']);
  t.match(refusal('<testsuites><testsuite></testsuites>'), { message: /not whole XML/ });
});

t.test('tuxrun and Maestro: what is odd does not pass', async (t) => {
  const tux = (result: string) =>
    read(`{"lava": {"job": {"result": "pass"}}, "s": {"c": {"result": "${result}"}}}`).answer.class;
  t.strictSame(
    [tux('pass'), tux('fail'), tux('xpass'), tux('')],
    ['code', 'code', 'harness', 'harness'],
  );
  const node = (more: object) =>
    read(
      JSON.stringify([
        { sequence_id: 1, channel: 'node', node: { id: 'n', kind: 'job', ...more } },
      ]),
    ).answer.class;
  t.equal(node({ result: 'pass' }), 'code');
  t.equal(node({ result: 'incomplete' }), 'harness');
  t.equal(node({ result: 'fail', data: { error_code: 'Infrastructure' } }), 'harness');
  t.equal(node({ result: 'maybe' }), 'harness');
});

t.test('KCIDB: nulls are named by their pointer, odd statuses do not pass', async (t) => {
  const doc = (test: object, major: unknown = 5) =>
    JSON.stringify({
      version: { major, minor: 3 },
      tests: [{ id: 'a:1', origin: 'a', build_id: 'a:2', ...test }],
    });
  for (const [status, expected] of [
    ['PASS', 'code'],
    ['FAIL', 'code'],
    ['MISS', 'harness'],
    ['ERROR', 'harness'],
    [undefined, 'harness'],
    ['DONE', 'not_applicable'],
  ] as const) {
    t.equal(read(doc({ status })).answer.class, expected, `${status}`);
  }
  t.equal(
    refusal(doc({ environment: { misc: { 'a/b': [1, null] } } })).pointer,
    '/tests/0/environment/misc/a~1b/1',
  );
  t.equal(refusal(doc({}, 3)).pointer, '/version/major');
  for (const bad of [
    { status: 'pass' },
    { path: 'kvm/pmu' },
    { id: 'obs-1' },
    { origin: 'pebs-lab' },
    { build_id: 7 },
    { log_excerpt: 'x'.repeat(16_385) },
  ]) {
    t.equal(refusal(doc(bad)).pointer, `/tests/0/${Object.keys(bad)[0]}`);
  }
  t.equal(refusal(doc({}).replace('[{', '[7,{')).pointer, '/tests/0');
});

/** Nothing that is read costs more than its size deserves. */
function isQuick(t: Test, what: string, text: string): void {
  const before = process.cpuUsage();
  const found = readOrRefused(text);
  const { user } = process.cpuUsage(before);
  t.ok(
    user < 2e6,
    `${what}: ${Math.round(user / 1000)} ms, ${found === null ? 'refused' : 'read'}`,
  );
}

t.test('hostile documents cost no more than their size', async (t) => {
  const suite = (yaml: string) => JSON.stringify({ ...LAVA, results: { s: yaml } });
  const bomb = Array.from({ length: 30 }, (_, at) => {
    const inner = at === 0 ? 'x' : `*a${at - 1}`;
    return `a${at}: &a${at} [${Array(9).fill(inner).join()}]`;
  }).join('\n');
  isQuick(t, 'aliases', suite(`${bomb}\n`));
  isQuick(
    t,
    'aliases in results',
    suite(`- &a {name: a, suite: s, result: pass}\n${'- *a\n'.repeat(20_000)}`),
  );
  isQuick(t, 'flow lists', suite('['.repeat(500_000)));
  isQuick(t, 'block lists', suite('- '.repeat(500_000)));
  isQuick(t, 'keys', suite('? '.repeat(500_000)));
  isQuick(t, 'merges', suite(`- &m {a: 1}\n${'- {<<: *m}\n'.repeat(9000)}`));
  isQuick(
    t,
    'JSON arrays',
    `{"version":{"major":5},"tests":${'['.repeat(400_000)}${']'.repeat(400_000)}}`,
  );
  isQuick(
    t,
    'tests in tests',
    `{"metadata":{},"tests":${'{"a":{"subtests":'.repeat(50_000)}{}${'}}'.repeat(50_000)}}`,
  );
  const entities = Array.from({ length: 20 }, (_, at) => `<!ENTITY l${at + 1} "&l${at};&l${at};">`);
  isQuick(
    t,
    'laughs',
    `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">${entities.join('')}]><testsuites>&l20;</testsuites>`,
  );
  isQuick(t, 'elements', `<testsuites>${'<testsuite>'.repeat(200_000)}`);
  isQuick(t, 'attributes', `<testsuites><testsuite ${'a="" '.repeat(100_000)}/></testsuites>`);
  isQuick(
    t,
    'ampersands',
    `<testsuites><testsuite name="${'&amp;'.repeat(200_000)}"/></testsuites>`,
  );
  t.match(refusal(`<!DOCTYPE x><testsuites/>`.replace('<!', '<?xml version="1.0"?><!')), {
    message: /document type/,
  });
  const proto =
    '{"metadata":{},"tests":{"__proto__":{"status":"pass"},"constructor":{"status":"ok"}}}';
  t.strictSame(results(read(proto)), ['__proto__ pass', 'constructor pass']);
  t.match(refusal(`{"metadata":{},"tests":{}}${' '.repeat(17 * 2 ** 20)}`), {
    message: /characters/,
  });
});
