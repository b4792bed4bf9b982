/**
 * A report as KTAP, version 1 (Documentation/dev-tools/ktap.rst): a test for each group, and in it its tests. What is said of a
 * test stands in front of its result line.
 */
import { type Group, groupsOf, type Report, type ReportedTest, words } from './report.js';
import type { Status } from './status.js';

export function toKtap(report: Report): string {
  const groups = groupsOf(report);
  return [
    'KTAP version 1',
    `1..${groups.length}`,
    comment(`pebslab ${words(report.about)}`),
    ...groups.flatMap((group, at) => groupLines(group, at + 1)),
    '',
  ].join('\n');
}

/** A test that is its own group is no test inside it: it is the result of the whole. */
function groupLines(group: Group, number: number): string[] {
  const { name, status, tests } = group;
  const [own] = tests.filter(({ path }) => path.length === 1);
  const inner = tests.filter(({ path }) => path.length > 1);
  const note = inner.length === 0 ? noteOf(own!) : groupNote({ ...group, tests: inner });
  const told = own === undefined ? [] : toldOf(own);
  const last = [...told, resultLine(number, testName(name), status, note)];
  if (inner.length === 0) return last;
  const inside = [
    'KTAP version 1',
    `# Subtest: ${testName(name)}`,
    `1..${inner.length}`,
    ...inner.flatMap((test, at) => testLines(name, test, at + 1)),
  ];
  return [...inside.map((one) => `  ${one}`), ...last];
}

function testLines(group: string, test: ReportedTest, number: number): string[] {
  const name = testName(test.path.slice(1).join('.'));
  // The kernel's parser takes a test of the name of its parent for the end of that.
  const other = name === testName(group) ? `${name}.${name}` : name;
  return [...toldOf(test), resultLine(number, other, test.status, noteOf(test))];
}

function toldOf({ status, reason = '', excerpt = '' }: ReportedTest): string[] {
  const told = excerpt === '' && status === 'FAIL' ? reason : excerpt;
  return told
    .split('\n')
    .filter((line) => line !== '')
    .map(comment);
}

const noteOf = ({ status, reason = '', misc = {} }: ReportedTest): string =>
  status === 'FAIL' || status === 'DONE' ? words(misc) : reason;

function groupNote({ status, tests }: Group): string {
  const having = tests.filter((test) => test.status === status).length;
  switch (status) {
    case 'FAIL':
      return `failed=${having}`;
    case 'SKIP':
      return 'all are skipped';
    case 'ERROR':
    case 'MISS':
      return `${having} of ${tests.length}`;
    default:
      return '';
  }
}

/** What follows the `#`, by status: a directive where KTAP has one. */
const DIRECTIVES: Readonly<Record<Status, string>> = {
  FAIL: '',
  ERROR: 'ERROR ',
  MISS: 'TIMEOUT ',
  PASS: '',
  DONE: '',
  SKIP: 'SKIP ',
};

function resultLine(number: number, name: string, status: Status, note: string): string {
  const isOk = status === 'PASS' || status === 'DONE' || status === 'SKIP';
  const line = `${isOk ? 'ok' : 'not ok'} ${number} ${name}`;
  // Another `#` would begin another directive.
  const plain = oneLine(note).replace(/#(?=\s|$)/g, '');
  const behind = status === 'PASS' ? '' : (DIRECTIVES[status] + plain).trim();
  return behind === '' ? line : `${line} # ${behind}`;
}

function comment(text: string): string {
  // What is told must not name a test.
  return `# ${oneLine(text).replace(/^Subtest:/, 'subtest:')}`;
}

/** A `#` would begin a directive, and a name is one word. */
function testName(name: string): string {
  return name.replace(/[^\w.+-]+/g, '_') || '_';
}

/** A line break would begin a line of its own, which a text from elsewhere could make a result of. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
