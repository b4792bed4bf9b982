/** KernelCI's PULL_LABS: the job that a lab polls for, and the body that it posts when it has run it. */
import { BadDocument, type DocumentFormat, type DocumentSink } from './document.js';
import { parseJson } from './parse.js';
import { addJob, addTask, addTest } from './results.js';
import {
  type Fields,
  field,
  fieldsOf,
  isFields,
  listAt,
  membersAt,
  objectAt,
  secondsOf,
  textOf,
  wordsOf,
} from './values.js';

const RESULTS: Readonly<Record<string, 'pass' | 'fail' | 'skip' | 'error'>> = {
  ok: 'pass',
  pass: 'pass',
  fail: 'fail',
  skip: 'skip',
  error: 'error',
};
const DEPTH_MAX = 16;
const TESTS_MAX = 100_000;

interface Counts {
  tests: number;
  errors: number;
}

function addResults(
  sink: DocumentSink,
  tests: unknown,
  pointer: string,
  parents: readonly string[],
  counts: Counts,
): void {
  for (const { name, value, pointer: at } of membersAt(tests, pointer)) {
    counts.tests += 1;
    if (counts.tests > TESTS_MAX)
      throw new BadDocument(pointer, `has more than ${TESTS_MAX} tests`);
    const path = [...parents, name];
    const test = fieldsOf(value);
    // A bare string is not what the protocol says, so it tells nothing.
    const status = isFields(value) ? textOf(field(test, 'status')).toLowerCase() : '';
    const result = Object.hasOwn(RESULTS, status) ? RESULTS[status]! : 'unknown';
    if (result === 'error') counts.errors += 1;
    addTest(sink, {
      name: path.join('/'),
      result,
      text: textOf(field(test, 'error_msg')) || (result === 'unknown' ? unknownStatus(value) : ''),
      attributes: {
        duration_seconds: secondsOf(field(test, 'duration_ms'), 0.001),
        metrics: field(test, 'metrics'),
      },
    });
    const inner = field(test, 'subtests');
    if (inner === undefined) continue;
    if (path.length >= DEPTH_MAX) sink.reject(0, `${path[0]} is nested deeper than ${DEPTH_MAX}`);
    else addResults(sink, inner, `${at}/subtests`, path, counts);
  }
}

function unknownStatus(value: unknown): string {
  const status = isFields(value) ? field(value, 'status') : value;
  return status === undefined ? 'no status' : `status ${JSON.stringify(wordsOf(status))}`;
}

function brokenBy(body: Fields, { tests, errors }: Counts): string | undefined {
  const metadata = fieldsOf(field(body, 'metadata'));
  const of = (name: string): string => textOf(field(body, name)) || textOf(field(metadata, name));
  const code = of('error_code');
  if (code !== '') return [code, of('error_msg')].filter((part) => part !== '').join(': ');
  if (tests === 0) return of('error_msg') || 'no test was run';
  return errors === tests ? 'all tests had errors' : undefined;
}

/** How many of the parts of such a body there are. */
const partsIn = (head: string): number =>
  ['summary', 'tests', 'metadata', 'artifacts'].filter((part) =>
    new RegExp(`"${part}"\\s*:\\s*\\{`).test(head),
  ).length + (/"error_code"\s*:/.test(head) ? 1 : 0);

export const pullLabs: DocumentFormat = {
  name: 'pull-labs',
  description: "the body of a PULL_LABS callback: KernelCI's pull labs, with the log",
  looksLike: (head) => /^\s*\{/.test(head) && partsIn(head) > 1,
  read({ text }, sink) {
    const body = objectAt(parseJson(text), '');
    const metadata = objectAt(field(body, 'metadata'), '/metadata');
    const held: Parameters<DocumentSink['record']>[0][] = [];
    const counts: Counts = { tests: 0, errors: 0 };
    const holding = { ...sink, record: (record: (typeof held)[number]) => void held.push(record) };
    addResults(holding, field(body, 'tests'), '/tests', [], counts);
    addJob(sink, {
      name: textOf(field(body, 'id')) || textOf(field(metadata, 'job_id')) || 'pull-labs',
      broken: brokenBy(body, counts),
      attributes: { machine: field(metadata, 'system'), summary: field(body, 'summary') },
    });
    for (const record of held) sink.record(record);
    const log = field(objectAt(field(body, 'artifacts'), '/artifacts'), 'log');
    if (typeof log === 'string' && log !== '') sink.log(log, '/artifacts/log');
  },
};

/** What the protocol has in a job, and in a test of it. */
const KNOWN = new Set(['artifacts', 'tests', 'environment', 'callback', 'integrity']);

export const pullLabsJob: DocumentFormat = {
  name: 'pull-labs-job',
  description: 'the definition of a PULL_LABS job: the tests that it asks for',
  looksLike: (head) =>
    /^\s*\{/.test(head) &&
    /"tests"\s*:\s*\[/.test(head) &&
    /"(?:artifacts|environment|callback)"\s*:\s*\{/.test(head) &&
    !/"version"\s*:\s*\{\s*"major"/.test(head),
  read({ text }, sink) {
    const job = objectAt(parseJson(text), '');
    const environment = objectAt(field(job, 'environment'), '/environment');
    const callback = objectAt(field(job, 'callback'), '/callback');
    const url = textOf(field(callback, 'url'));
    const sums = fieldsOf(field(fieldsOf(field(job, 'integrity')), 'sha256'));
    const isSum = (value: unknown): boolean => /^[0-9a-f]{64}$/i.test(textOf(value));
    const entries = Object.entries(sums).slice(0, 100);
    addJob(sink, {
      name: /\/node\/([\w-]+)$/.exec(url)?.[1] ?? 'pull-labs-job',
      attributes: {
        platform: field(environment, 'platform'),
        arch: field(environment, 'arch'),
        requirements: field(environment, 'requirements'),
        callback: url,
        ...prefixed('artifact', Object.entries(fieldsOf(field(job, 'artifacts')))),
        ...prefixed(
          'sha256',
          entries.filter(([, sum]) => isSum(sum)),
        ),
        ...prefixed(
          'other',
          Object.entries(job).filter(([name]) => !KNOWN.has(name)),
        ),
        ...prefixed(
          'other.integrity.sha256',
          entries.filter(([, sum]) => !isSum(sum)),
        ),
      },
    });
    for (const [at, value] of listAt(field(job, 'tests'), '/tests').entries()) {
      const test = objectAt(value, `/tests/${at}`);
      const { id: _, ...rest } = test;
      addTask(sink, textOf(field(test, 'id')) || `${at}`, rest);
    }
  },
};

function prefixed(prefix: string, entries: readonly (readonly [string, unknown])[]): Fields {
  return Object.fromEntries(
    entries.slice(0, 100).map(([name, value]) => [`${prefix}.${name.slice(0, 100)}`, value]),
  );
}
