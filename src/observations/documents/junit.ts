/** JUnit XML, as pytest, CI servers and LAVA write it. A bare test case has passed; LAVA writes unknown results as bare as those. */
import { BadDocument, type DocumentFormat, type DocumentSink } from './document.js';
import { parseXml, plainXml } from './parse.js';
import { addJob, addTest, suiteOf } from './results.js';
import { type Fields, field, fieldsOf, isFields, listAt, secondsOf, textOf } from './values.js';

const PARTS_MAX = 100_000;

const BARE_OF_LAVA = "a pass, or unknown: LAVA's JUnit shows both alike";

function attribute(element: Fields, name: string): string {
  return textOf(plainXml(textOf(field(element, `@${name}`))));
}

function children(element: Fields, name: string): Fields[] {
  const members = field(element, name);
  // An element without anything in it is an empty string.
  return listAt(members, `/${name}`).map((one) => (isFields(one) ? one : { '#text': one }));
}

/** All suites, in order, those inside others behind them. */
function suitesIn(root: Fields): Fields[] {
  const suites: Fields[] = [];
  const open = [...children(root, 'testsuite')];
  for (let suite = open.shift(); suite !== undefined; suite = open.shift()) {
    suites.push(suite);
    if (suites.length > PARTS_MAX) throw new BadDocument('', 'has too many suites');
    open.unshift(...children(suite, 'testsuite'));
  }
  return suites;
}

/** The gravest first: what failed may also have broken when it was cleared away. */
const OUTCOMES = [
  ['failure', 'fail'],
  ['error', 'error'],
  ['skipped', 'skip'],
] as const;

/** Some say it in attributes as well, and only there what has not run. */
const WORDS: readonly (readonly [RegExp, 'pass' | 'fail' | 'error' | 'skip'])[] = [
  [/^(?:|run|ran|pass(?:ed)?|ok|success(?:ful)?|completed)$/i, 'pass'],
  [/^(?:fail(?:ed|ure)?)$/i, 'fail'],
  [/^(?:error|broken|aborted|timeout)$/i, 'error'],
  [/^(?:not_?run|skip(?:ped)?|disabled|suppressed|ignored|pending)$/i, 'skip'],
];

/** Of a bare case. */
function saidOf(test: Fields): 'pass' | 'fail' | 'error' | 'skip' | 'unknown' {
  const results = ['status', 'result'].map((name) => {
    const word = attribute(test, name);
    return WORDS.find(([pattern]) => pattern.test(word))?.[1] ?? 'unknown';
  });
  return results.find((result) => result !== 'pass') ?? 'pass';
}

function addCase(sink: DocumentSink, test: Fields, isLava: boolean): void {
  const [className, name] = [attribute(test, 'classname'), attribute(test, 'name')];
  const group = isLava ? suiteOf(className) : className;
  const [element, result = saidOf(test)] =
    OUTCOMES.find(([outcome]) => field(test, outcome) !== undefined) ?? [];
  const [told] = element === undefined ? [] : children(test, element);
  const why = told === undefined ? '' : attribute(told, 'message') || textOf(field(told, '#text'));
  addTest(sink, {
    name: group === '' ? name || '?' : `${group}/${name || '?'}`,
    result,
    text: isLava && element === undefined ? BARE_OF_LAVA : textOf(plainXml(why)),
    attributes: {
      duration_seconds: secondsOf(attribute(test, 'time')),
      ...(told !== undefined && { type: attribute(told, 'type') }),
    },
  });
}

export const junit: DocumentFormat = {
  name: 'junit',
  description: "JUnit XML; of LAVA's, an unknown result may look like a pass",
  looksLike: (head) => /^\s*<(?:\?xml|testsuites?\b)/.test(head) && /<testsuites?\b/.test(head),
  read({ text }, sink) {
    const root = parseXml(text);
    const [all] = children(root, 'testsuites');
    const suites = suitesIn(all ?? root);
    if (all === undefined && suites.length === 0) {
      throw new BadDocument('', 'has no testsuites and no testsuite');
    }
    const isLava = suites.some((suite) => attribute(suite, 'name') === 'lava');
    for (const suite of suites) addSuite(sink, suite, isLava);
  },
};

function addSuite(sink: DocumentSink, suite: Fields, isLava: boolean): void {
  const name = attribute(suite, 'name');
  const cases = children(suite, 'testcase');
  if (isLava && name === 'lava') {
    const [failed] = cases.filter(
      (test) => field(test, 'failure') !== undefined || field(test, 'error') !== undefined,
    );
    const text = `lava/${failed === undefined ? '' : attribute(failed, 'name')} failed`;
    if (failed !== undefined) addTest(sink, { name: 'lava/job', result: 'error', text });
    return;
  }
  addJob(sink, {
    name: name || 'testsuite',
    at: attribute(suite, 'timestamp'),
    attributes: {
      machine: attribute(suite, 'hostname'),
      duration_seconds: secondsOf(attribute(suite, 'time')),
    },
  });
  // Suites that only hold others may say what could not be run at all.
  if (field(suite, 'error') !== undefined) {
    addTest(sink, { name: `${name}/suite`, result: 'error' });
  }
  for (const test of cases) addCase(sink, fieldsOf(test), isLava);
}
