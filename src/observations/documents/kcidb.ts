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

const ID = /^[a-z0-9_]+:[^\0]*$/;
const ORIGIN = /^[a-z0-9_]+$/;
const PATH = /^([a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*)?$/;
const EXCERPT = /^[^\0]{0,16384}$/u;

const FORMS = {
  id: [ID, 'must be the origin, a colon and an id'],
  origin: [ORIGIN, 'must be lower-case letters, digits and underscores'],
  checkout_id: [ID, 'must be the id of a checkout'],
  build_id: [ID, 'must be the id of a build'],
  path: [PATH, 'must be words with dots between them'],
  status: [/^(?:FAIL|ERROR|MISS|PASS|DONE|SKIP)$/, 'must be FAIL, ERROR, MISS, PASS, DONE or SKIP'],
  log_excerpt: [EXCERPT, 'must have at most 16384 characters, and no NUL'],
} as const;
type Form = keyof typeof FORMS;

/** What KCIDB refuses, it refuses without saying why. */
function assertForms(fields: Fields, pointer: string, required: readonly Form[]): void {
  for (const [name, [form, fault]] of Object.entries(FORMS)) {
    const value = field(fields, name);
    if (value === undefined && !required.includes(name as Form)) continue;
    if (typeof value !== 'string' || !form.test(value)) {
      throw new BadDocument(`${pointer}/${name}`, fault);
    }
  }
}

/** The objects of a list, checked, by their ids. */
function byId(document: Fields, name: string, required: readonly Form[]): Map<string, Fields> {
  const objects = listAt(field(document, name), `/${name}`).map((one, at) => {
    const pointer = `/${name}/${at}`;
    const fields = objectAt(one, pointer);
    assertForms(fields, pointer, required);
    return [textOf(field(fields, 'id')), fields] as const;
  });
  return new Map(objects);
}

function addKcidbTest(sink: DocumentSink, test: Fields, build: Fields, checkout: Fields): void {
  const environment = fieldsOf(field(test, 'environment'));
  const misc = (of: Fields, name: string): unknown => field(fieldsOf(field(of, 'misc')), name);
  const status = textOf(field(test, 'status'));
  const isWaived = field(test, 'waived') === true;
  // A test that is still running has none.
  const result = status === '' ? 'unknown' : RESULTS[status as keyof typeof RESULTS];
  addTest(sink, {
    name: textOf(field(test, 'path')) || textOf(field(test, 'id')) || '?',
    result: isWaived ? 'skip' : result,
    text: isWaived ? `waived: ${status}` : whyOf(test, status),
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

function whyOf(test: Fields, status: string): string {
  const comment = textOf(field(test, 'comment'));
  if (comment !== '') return comment;
  return status === 'DONE' ? 'measured only' : status === '' ? 'no status' : '';
}

export const kcidb: DocumentFormat = {
  name: 'kcidb',
  description: 'KCIDB version 5 or 4: tests with their builds and checkouts',
  looksLike: (head) =>
    /^\s*\{/.test(head) &&
    (/"version"\s*:\s*\{\s*"(?:major|minor)"/.test(head) ||
      (/"(?:checkouts|builds|tests|issues|incidents)"\s*:\s*\[/.test(head) &&
        /"origin"\s*:\s*"/.test(head))),
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
    const checkouts = byId(document, 'checkouts', ['id', 'origin']);
    const builds = byId(document, 'builds', ['id', 'origin', 'checkout_id']);
    addJob(sink, {
      name: 'kcidb',
      attributes: {
        version: `${textOf(field(version, 'major'))}.${textOf(field(version, 'minor')) || '0'}`,
      },
    });
    for (const [at, value] of listAt(field(document, 'tests'), '/tests').entries()) {
      const test = objectAt(value, `/tests/${at}`);
      assertForms(test, `/tests/${at}`, ['id', 'origin', 'build_id']);
      const build = builds.get(textOf(field(test, 'build_id'))) ?? {};
      const checkout = checkouts.get(textOf(field(build, 'checkout_id'))) ?? {};
      addKcidbTest(sink, test, build, checkout);
    }
  },
};
