/**
 * What LAVA tells of a job: the body of its callback, in which the results of each suite are YAML text inside JSON, and the
 * export of results as YAML. The suite `lava` is the dispatcher's own work: its cases are no tests.
 */
import {
  BadDocument,
  type DocumentFormat,
  type DocumentSink,
  type ReadDocument,
} from './document.js';
import { parseJson, parseYaml } from './parse.js';
import { addJob, addTest, resultOf, suiteOf } from './results.js';
import { type Fields, field, fieldsOf, listAt, membersAt, objectAt, textOf } from './values.js';

/** Errors that are not the tested code's; after others (Job, Test) the tests that ran still count. */
const LAB_ERRORS: ReadonlySet<string> = new Set([
  'Infrastructure',
  'Configuration',
  'Bug',
  'Canceled',
  'Multinode',
]);

interface Case {
  readonly suite: string;
  readonly name: string;
  readonly result: string;
  readonly fields: Fields;
  readonly metadata: Fields;
}

/** Every case, in their order; what lacks its name, suite or result is rejected. */
function casesOf(list: readonly unknown[], suite: string, sink: DocumentSink): Case[] {
  const cases: Case[] = [];
  for (const item of list) {
    const fields = fieldsOf(item);
    const name = textOf(field(fields, 'name'));
    const result = textOf(field(fields, 'result'));
    const own = textOf(field(fields, 'suite')) || suite;
    const metadata = fieldsOf(field(fields, 'metadata'));
    if (name === '' || result === '' || own === '') {
      sink.reject(0, 'a result of LAVA without its name, suite or result');
    } else cases.push({ suite: own, name, result, fields, metadata });
  }
  return cases;
}

function addCase(sink: DocumentSink, { suite, name, result, fields }: Case): void {
  const of = (key: string): string => textOf(field(fields, key));
  const [from, to] = [of('log_start_line'), of('log_end_line')];
  addTest(sink, {
    name: `${suiteOf(suite)}/${name}`,
    result: resultOf(result),
    at: of('logged'),
    ...(resultOf(result) === 'unknown' && { text: `LAVA says ${result}` }),
    attributes: {
      suite,
      measurement: of('measurement'),
      unit: of('unit'),
      log_lines: from === '' ? '' : `${from}-${to || from}`,
    },
  });
}

/** The lab's failure, and the job's where it may as well be the code's. */
interface Failure {
  readonly lab?: string;
  readonly job?: string;
}

function failureOf(cases: readonly Case[]): Failure {
  const failed = cases.filter(({ suite, result }) => suite === 'lava' && result !== 'pass');
  const errors = failed.map(({ name, metadata }) => ({
    name,
    type: textOf(field(metadata, 'error_type')),
    text: textOf(field(metadata, 'error_msg')),
  }));
  const lab = errors.find(({ type }) => LAB_ERRORS.has(type));
  if (lab !== undefined) return { lab: `${lab.type}: ${lab.text || `lava/${lab.name} failed`}` };
  const job = errors.find(({ name }) => name === 'job') ?? errors.find(({ type }) => type !== '');
  if (job === undefined) return {};
  return { job: job.type === '' ? `lava/${job.name} failed` : `${job.type}: ${job.text}` };
}

function addCases(sink: DocumentSink, cases: readonly Case[]): void {
  for (const one of cases) if (one.suite !== 'lava') addCase(sink, one);
}

/** The fields of a form, which LAVA sends unless it is told to send JSON; undefined where the text is none. */
export function formFields(text: string): Fields | undefined {
  if (!/^[\w.%+-]+=/.test(text)) return undefined;
  const fields = new Map<string, unknown>();
  for (const [name, value] of new URLSearchParams(text.trimEnd())) {
    fields.set(name, fields.has(name) ? [fields.get(name), value].flat() : value);
    if (fields.size > 1000) throw new BadDocument('', 'has more than 1000 fields');
  }
  return Object.fromEntries(fields);
}

const NO_RESULTS =
  "a form has no results, only their suites: say content-type: json in the job's notify";

/** Results as YAML text, or, as `minimal` has it, none at all; of a form only the names of suites. */
function callbackCases(results: unknown, sink: DocumentSink): Case[] {
  const names = typeof results === 'string' ? [results] : results;
  if (Array.isArray(names)) {
    const suites = listAt(names, '/results')
      .map(textOf)
      .filter((name) => name !== '');
    for (const suite of suites.filter((name) => name !== 'lava')) {
      addTest(sink, { name: suiteOf(suite), result: 'unknown', text: NO_RESULTS });
    }
    return [];
  }
  return membersAt(results, '/results').flatMap(({ name, value, pointer }) => {
    const list = typeof value === 'string' ? parseYaml(value, pointer) : value;
    return casesOf(listAt(list === '' ? [] : list, pointer), name, sink);
  });
}

/** Health as LAVA numbers it: 1 complete, 2 incomplete, 3 cancelled. */
const healthOf = (job: Fields): string =>
  (textOf(field(job, 'health_string')) || textOf(field(job, 'status_string'))).toLowerCase();

const NO_LAB = 'the job did not complete, and LAVA does not say why';

export const lavaCallback: DocumentFormat = {
  name: 'lava-callback',
  description: "the body of LAVA's callback: results as YAML text inside JSON, and the log",
  looksLike: (head) =>
    /^\s*\{/.test(head) &&
    /"(?:status_string|health_string)"\s*:/.test(head) &&
    /"(?:actual_device_id|submitter_username|submit_time)"\s*:/.test(head),
  read({ text }, sink) {
    const job = formFields(text) ?? objectAt(parseJson(text), '');
    const id = textOf(field(job, 'id'));
    if (id === '') throw new BadDocument('/id', 'must be the number of the job');
    const cases = callbackCases(field(job, 'results'), sink);
    const { lab, job: failure } = failureOf(cases);
    const health = healthOf(job);
    const isWhole = health === 'complete';
    const broken = lab ?? (isWhole || failure !== undefined ? undefined : NO_LAB);
    const of = (name: string): string => textOf(field(job, name));
    addJob(sink, {
      name: id,
      broken: health.startsWith('cancel') ? (lab ?? 'Canceled: the job was cancelled') : broken,
      at: of('start_time'),
      attributes: {
        state: health,
        machine: of('actual_device_id'),
        description: of('description'),
        submitted: of('submit_time'),
        started: of('start_time'),
        ended: of('end_time'),
        comment: of('failure_comment'),
      },
    });
    if (failure !== undefined) addTest(sink, { name: 'lava/job', result: 'error', text: failure });
    addCases(sink, cases);
    const log = field(job, 'log');
    if (typeof log === 'string' && log !== '') sink.log(log, '/log');
  },
};

export const lavaResults: DocumentFormat = {
  name: 'lava-results',
  description: "LAVA's export of a job's results as YAML",
  isCutAnywhere: true,
  looksLike: (head) =>
    /^(?:---\s*)?- (?:\{|\w+:)/.test(head) &&
    /\bsuite: /.test(head) &&
    /\bresult: /.test(head) &&
    /\bname: /.test(head),
  read(document, sink) {
    const whole = listAt(parseYaml(lines(document), ''), '');
    const cases = casesOf(whole, '', sink);
    const { lab, job } = failureOf(cases);
    const ids = new Set(cases.map(({ fields }) => textOf(field(fields, 'job'))));
    for (const id of ids) addJob(sink, { name: id || 'LAVA', broken: lab });
    if (job !== undefined) addTest(sink, { name: 'lava/job', result: 'error', text: job });
    addCases(sink, cases);
  },
};

/** A list may be cut anywhere and stay a list: the item that is cut is left out. */
function lines({ text, isCut }: ReadDocument): string {
  if (!isCut) return text;
  const last = text.lastIndexOf('\n- ');
  return last < 0 ? '[]' : text.slice(0, last + 1);
}
