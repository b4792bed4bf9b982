/**
 * A report as JUnit XML, in the form CI servers agree on: a suite for each group, a case for each test. What failed is a
 * failure, what broke or was missed an error. Times are seconds, where they are known.
 */
import { type Group, groupsOf, type Report, type ReportedTest } from './report.js';
import type { Status } from './status.js';

export function toJunit(report: Report): string {
  const { id, label: name = id, tests, duration_seconds } = report;
  const time = seconds(duration_seconds);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name, ...counts(tests), time })}>`,
    ...groupsOf(report).map((group) => suite(report, group)),
    '</testsuites>',
    '',
  ].join('\n');
}

function suite({ about, started_at, duration_seconds }: Report, { name, tests }: Group): string {
  // Tests that ran side by side took no longer than all of it.
  const sum = tests.reduce((total, test) => total + (test.duration_seconds ?? 0), 0);
  const time = seconds(Math.min(sum, duration_seconds));
  // As it is written there: without a zone, in UTC.
  const timestamp = started_at.replace(/(?:\.\d+)?Z$/, '');
  const properties = { ...about, ...ranOn(tests) };
  return [
    `  <testsuite${attributes({ name, ...counts(tests), time, timestamp })}>`,
    '    <properties>',
    ...Object.entries(properties).map(
      ([of, value]) => `      <property${attributes({ name: of, value })}/>`,
    ),
    '    </properties>',
    ...tests.map(testCase),
    '  </testsuite>',
  ].join('\n');
}

/** What all tests of a suite ran on. */
function ranOn(tests: readonly ReportedTest[]): Record<string, string> {
  const [first, ...others] = tests.map(({ environment }) => environment);
  const common = (of: 'kernel' | 'platform' | 'lab' | 'machine'): Record<string, string> => {
    const value = first?.[of] ?? '';
    return value !== '' && others.every((other) => other[of] === value) ? { [of]: value } : {};
  };
  return { ...common('kernel'), ...common('platform'), ...common('lab'), ...common('machine') };
}

function testCase(test: ReportedTest): string {
  const { path, duration_seconds } = test;
  const names = attributes({
    classname: ['pebslab', ...path.slice(0, -1)].join('.'),
    name: path.at(-1) ?? '?',
    ...(duration_seconds === undefined ? {} : { time: seconds(duration_seconds) }),
  });
  const outcome = outcomeOf(test);
  return outcome === null
    ? `    <testcase${names}/>`
    : `    <testcase${names}>\n      ${outcome}\n    </testcase>`;
}

const ELEMENTS: Readonly<Record<Status, string | null>> = {
  FAIL: 'failure',
  ERROR: 'error',
  MISS: 'error',
  PASS: null,
  DONE: null,
  SKIP: 'skipped',
};

function outcomeOf({ status, reason = '', excerpt = '' }: ReportedTest): string | null {
  const element = ELEMENTS[status];
  if (element === null) return null;
  const type = status === 'SKIP' ? {} : { type: status.toLowerCase() };
  const head = `<${element}${attributes({ ...type, message: reason })}`;
  return excerpt === '' ? `${head}/>` : `${head}>${escaped(excerpt)}</${element}>`;
}

function counts(tests: readonly ReportedTest[]) {
  const having = (...statuses: Status[]): number =>
    tests.filter(({ status }) => statuses.includes(status)).length;
  return {
    tests: tests.length,
    failures: having('FAIL'),
    errors: having('ERROR', 'MISS'),
    skipped: having('SKIP'),
  };
}

/** Without an exponent, which not every reader takes. */
const seconds = (duration: number): string => String(Number(duration.toFixed(6)));

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Without the characters that XML 1.0 cannot hold in any form. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
