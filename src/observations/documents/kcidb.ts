/** KCIDB: what CI systems submit to KernelCI's database. Nulls are refused, as it drops a report for one without saying so. */
import { BadDocument, type DocumentFormat, type DocumentSink } from './document.js';
import { parseJson } from './parse.js';
import { addJob, addTest } from './results.js';
import {
  escaped,
  type Fields,
  field,
  fieldsOf,
  listAt,
  objectAt,
  secondsOf,
  textOf,
} from './values.js';

const MAJORS: readonly unknown[] = [4, 5];

/** DONE has measured and judged nothing. */
const RESULTS = {
  FAIL: 'fail',
  ERROR: 'error',
  MISS: 'error',
  PASS: 'pass',
  DONE: 'skip',
  SKIP: 'skip',
} as const;

/** The pointer to the first null in it, without recursion: documents may be nested as deep as they like. */
function nullIn(document: unknown): string | null {
  const open: { value: unknown; pointer: string }[] = [{ value: document, pointer: '' }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, pointer } = next;
    if (value === null) return pointer;
    if (typeof value !== 'object') continue;
    // A path as long as this names nothing that anybody could find.
    if (pointer.length > 2000) throw new BadDocument(pointer.slice(0, 200), 'is nested too deeply');
    const members = Object.entries(value as object).reverse();
    for (const [name, member] of members) {
      if (typeof member === 'object') {
        open.push({ value: member, pointer: `${pointer}/${escaped(name)}` });
      }
    }
  }
  return null;
}

/** The objects of a list by their ids. */
function byId(document: Fields, name: string): Map<string, Fields> {
  const objects = listAt(field(document, name), `/${name}`).map(
    (one, at) => [textOf(field(objectAt(one, `/${name}/${at}`), 'id')), fieldsOf(one)] as const,
  );
  return new Map(objects);
}

function addKcidbTest(sink: DocumentSink, test: Fields, build: Fields, checkout: Fields): void {
  const environment = fieldsOf(field(test, 'environment'));
  const misc = (of: Fields, name: string): unknown => field(fieldsOf(field(of, 'misc')), name);
  const status = textOf(field(test, 'status'));
  const isKnown = Object.hasOwn(RESULTS, status);
  const isWaived = field(test, 'waived') === true;
  const result = isKnown ? RESULTS[status as keyof typeof RESULTS] : 'unknown';
  addTest(sink, {
    name: textOf(field(test, 'path')) || textOf(field(test, 'id')) || '?',
    result: isWaived ? 'skip' : result,
    text: isWaived ? `waived: ${status}` : isKnown ? whyOf(test, status) : unknown(status),
    at: textOf(field(test, 'start_time')),
    attributes: {
      id: field(test, 'id'),
      duration_seconds: secondsOf(field(test, 'duration')),
      platform: misc(environment, 'platform'),
      compatible: field(environment, 'compatible'),
      lab: misc(test, 'runtime') ?? misc(build, 'lab') ?? field(test, 'origin'),
      tree: field(checkout, 'tree_name'),
      repository: field(checkout, 'git_repository_url'),
      commit: field(checkout, 'git_commit_hash'),
      log_excerpt: field(test, 'log_excerpt'),
    },
  });
}

const unknown = (status: string): string =>
  status === '' ? 'no status' : `status ${JSON.stringify(status)}`;

const whyOf = (test: Fields, status: string): string =>
  textOf(field(test, 'comment')) || (status === 'DONE' ? 'measured only' : '');

export const kcidb: DocumentFormat = {
  name: 'kcidb',
  description: 'KCIDB version 5 or 4: tests with their builds and checkouts',
  looksLike: (head) =>
    /^\s*\{/.test(head) &&
    /"version"\s*:\s*\{\s*"(?:major|minor)"/.test(head) &&
    (/"(?:checkouts|builds|tests|issues|incidents)"\s*:\s*\[/.test(head) || head.length < 200),
  read({ text }, sink) {
    const document = objectAt(parseJson(text), '');
    const version = objectAt(field(document, 'version'), '/version');
    if (!MAJORS.includes(field(version, 'major'))) {
      throw new BadDocument('/version/major', 'must be 5 or 4');
    }
    const pointer = nullIn(document);
    if (pointer !== null) {
      throw new BadDocument(pointer, 'is null, which KCIDB does not take: leave the field out');
    }
    const builds = byId(document, 'builds');
    const checkouts = byId(document, 'checkouts');
    addJob(sink, {
      name: 'kcidb',
      attributes: {
        version: `${textOf(field(version, 'major'))}.${textOf(field(version, 'minor')) || '0'}`,
      },
    });
    for (const [at, value] of listAt(field(document, 'tests'), '/tests').entries()) {
      const test = objectAt(value, `/tests/${at}`);
      const build = builds.get(textOf(field(test, 'build_id'))) ?? {};
      const checkout = checkouts.get(textOf(field(build, 'checkout_id'))) ?? {};
      addKcidbTest(sink, test, build, checkout);
    }
  },
};
