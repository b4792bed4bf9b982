/** Reports: one table of statuses, and three formats that others can read. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Observation } from '../../../schemas/observation.js';
import { toJunit } from '../../../src/service/reports/junit.js';
import { toKcidb } from '../../../src/service/reports/kcidb.js';
import { toKtap } from '../../../src/service/reports/ktap.js';
import { observationReport } from '../../../src/service/reports/of-observation.js';
import type { Report } from '../../../src/service/reports/report.js';
import { gravest, observationStatus, statusOf } from '../../../src/service/reports/status.js';
import {
  CAPTURED_DOCUMENTS,
  CAPTURES,
  capture,
  readOrRefused,
} from '../../observations/captures.js';
import { EXPECTED } from '../../observations/expected.js';
import { dashboardFaults, kcidbFaults } from './kcidb-schema.js';

/** As the service would have it, of what was read in a capture. */
function observation(name: string): Observation | null {
  const read = readOrRefused(capture(name));
  if (read === null) return null;
  return {
    id: `obs_${name.replace(/[^a-z0-9]/g, '')}`.slice(0, 30),
    state: 'done',
    machine: 'host-17',
    pool: 'lab-a',
    created_at: '2026-11-27T12:00:00.000Z',
    finished_at: '2026-11-27T12:00:00.250Z',
    bytes: 1,
    ...read.answer,
  } as unknown as Observation;
}

const ALL = [...CAPTURES, ...CAPTURED_DOCUMENTS]
  .map((name) => [name, observation(name)] as const)
  .filter((one): one is [string, Observation] => one[1] !== null);

const NASTY =
  'a]]> & <b/>\u0000\u0007\uD800 ok 7 forged\nnot ok 8 forged # SKIP\u2028\u{1F600} "q"';

/** Names, reasons and excerpts that nobody would choose. */
const HOSTILE: Report = {
  id: 'obs_1',
  label: NASTY,
  started_at: '2026-11-27T12:00:00.000Z',
  duration_seconds: 1e-9,
  about: { [NASTY]: NASTY },
  tests: (['FAIL', 'ERROR', 'MISS', 'PASS', 'DONE', 'SKIP'] as const).map((status) => ({
    path: [NASTY, '', `${NASTY}${status}`],
    status,
    reason: NASTY,
    excerpt: NASTY.repeat(2000),
    environment: { platform: NASTY, compatible: ['x'], lab: NASTY, kernel: NASTY },
    misc: { [NASTY]: NASTY },
  })),
};

t.test('every verdict has its status, and the gravest of several counts', async (t) => {
  t.strictSame(
    (['stuck', 'transient', 'clean', 'not_applicable', 'inconclusive'] as const).map(statusOf),
    ['FAIL', 'FAIL', 'PASS', 'SKIP', 'ERROR'],
  );
  t.strictSame(
    (['pass', 'fail', 'skip', 'error', 'unknown', 'missed', 'measured'] as const).map(statusOf),
    ['PASS', 'FAIL', 'SKIP', 'ERROR', 'ERROR', 'MISS', 'DONE'],
  );
  t.equal(gravest(['PASS', 'MISS', 'SKIP', 'ERROR']), 'ERROR');
  const of = (name: string) => observationStatus(observation(name)!);
  for (const [name, { verdict, class: whose }] of Object.entries(EXPECTED)) {
    const status = of(name);
    if (verdict === 'stuck' || verdict === 'transient') t.equal(status, 'FAIL', name);
    if (whose === 'harness') t.match(status, /^(ERROR|MISS)$/, name);
    if (whose === 'not_applicable') t.equal(status, 'SKIP', name);
  }
  t.equal(of('lava-callback-results.json'), 'FAIL');
  t.match(of('lava-callback-infra-error.json'), /ERROR|MISS/);
  t.equal(of('tuxsuite-results-prefixed.json'), 'ERROR', 'although a test says pass');
  t.equal(observationStatus({ state: 'failed' }), 'MISS');
});

t.test('KCIDB takes what is written of every capture, and of what is hostile', async (t) => {
  for (const [name, one] of ALL) {
    const document = toKcidb([observationReport(one)]);
    t.strictSame(kcidbFaults(document), [], name);
    t.strictSame(dashboardFaults(document), [], name);
    t.ok(document.tests.length > 0, `${name} has tests`);
  }
  t.strictSame(kcidbFaults(toKcidb([HOSTILE])), []);
  const { checkouts, tests } = toKcidb(ALL.map(([, one]) => observationReport(one)));
  t.equal(new Set(tests.map(({ id }) => id)).size, tests.length, 'ids of their own');
  t.ok(checkouts.length < ALL.length, 'kernels are in it once');
  const stuck = toKcidb([observationReport(observation('rdmsr-loop-cpu-equals.txt')!)]);
  t.match(
    stuck.tests.find(({ path }) => path === 'kvm.pebs_enable_stuck.cpu3'),
    { status: 'FAIL', log_excerpt: /^R1: .*\(lines / },
  );
  const json = observation('perf-data-json.json')!;
  t.match(toKcidb([observationReport(json)]), {
    checkouts: [{ tree_name: 'stable', git_commit_name: 'v6.12.90' }],
    tests: [{ environment: { misc: { platform: 'emerald-rapids' } } }],
  });
});

t.test('what KCIDB refuses is found here as well', async (t) => {
  const good = toKcidb([observationReport(observation('sysrq-stuck.txt')!)]);
  const [test] = good.tests;
  for (const bad of [
    { status: 'fail' },
    { path: 'kvm/pmu' },
    { id: 'obs_1' },
    { origin: 'pebs-lab' },
    { log_excerpt: null },
    { log_excerpt: 'x'.repeat(16_385) },
    { comment: 'a\0b' },
    { verdict: 'stuck' },
  ]) {
    const faults = kcidbFaults({ ...good, tests: [{ ...test, ...bad }] });
    t.not(faults.length, 0, JSON.stringify(bad).slice(0, 40));
  }
});

t.test('durations are those of the records, or of the reading', async (t) => {
  const trace = observation('ftrace-trace-header.txt')!;
  t.match(observationReport(trace), { about: { time_of: 'records' } });
  t.match(toJunit(observationReport(trace)), /<testsuites .* time="0.000409">/);
  const loop = observation('rdmsr-all-plain.txt')!;
  t.match(observationReport(loop), { about: { time_of: 'reading' }, duration_seconds: 0.25 });
  t.match(toJunit(observationReport(loop)), /name="pebs_enable_stuck" time="0.25"/);
  const labs = toJunit(observationReport(observation('pull-labs-callback.json')!));
  t.match(labs, /classname="pebslab" name="pebs-stuck" time="9.35"/);
  t.match(labs, /classname="pebslab.pebs-stuck" name="cpu3"/);
});

/** Runs something on files that are deleted again. */
function onFiles(texts: readonly string[], run: (files: readonly string[]) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'reports-'));
  const files = texts.map((text, at) => {
    const file = join(folder, `${at}`);
    writeFileSync(file, text);
    return file;
  });
  try {
    run(files);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const REPORTS = [...ALL.map(([, one]) => observationReport(one)), HOSTILE];

t.test('xmllint takes JUnit', async (t) => {
  if (spawnSync('xmllint', ['--version']).error !== undefined) {
    t.comment('xmllint is not at hand');
    return;
  }
  onFiles(REPORTS.map(toJunit), (files) => {
    const { status, stderr } = spawnSync('xmllint', ['--noout', ...files], { encoding: 'utf8' });
    t.equal(status, 0, stderr.slice(0, 300));
  });
});

/** Of a kernel's sources, where they are unpacked. */
const KUNIT = [
  process.env.KUNIT ?? '',
  ...['6.1', '6.12', '7.2', '7.3'].map(
    (release) => `/usr/src/linux-source-${release}/tools/testing/kunit/kunit.py`,
  ),
].find((file) => file !== '' && existsSync(file));

function kunitCounts(t: Test, report: Report): Record<string, number> {
  let counts = '';
  onFiles([toKtap(report)], ([file]) => {
    const { stdout, stderr } = spawnSync('python3', [KUNIT!, 'parse', file!], { encoding: 'utf8' });
    t.notMatch(stdout, /\[ERROR\]/, report.id);
    counts = /Ran (.*)$/m.exec(stdout)?.[1] ?? stderr.slice(-300);
  });
  return Object.fromEntries(
    [...counts.matchAll(/(\w+): (\d+)/g)].map(([, name, count]) => [name, Number(count)]),
  );
}

t.test("the kernel's own parser takes KTAP", async (t) => {
  if (KUNIT === undefined || spawnSync('python3', ['--version']).error !== undefined) {
    t.comment('no sources of a kernel are at hand (KUNIT=…/kunit.py)');
    return;
  }
  for (const name of ['rdmsr-loop-cpu-equals.txt', 'kut-skip-reasons.txt', 'tuxrun-results.json']) {
    const report = observationReport(observation(name)!);
    const having = (...wanted: string[]) =>
      report.tests.filter(({ status }) => wanted.includes(status)).length;
    const counts = kunitCounts(t, report);
    t.equal(counts.passed ?? 0, having('PASS', 'DONE'), `${name} passed`);
    t.equal(counts.failed ?? 0, having('FAIL', 'ERROR', 'MISS'), `${name} failed`);
    t.equal(counts.skipped ?? 0, having('SKIP'), `${name} skipped`);
  }
  t.match(kunitCounts(t, HOSTILE), { passed: 2, failed: 3, skipped: 1 });
});
