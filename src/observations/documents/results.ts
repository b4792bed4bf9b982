/** Records of what a document says: of its job, and of its tests. */
import { ObservedRecord } from '../record.js';
import type { DocumentSink } from './document.js';
import { type Fields, said } from './values.js';

type Result = NonNullable<ObservedRecord['result']>;

export interface DocumentTest {
  readonly name: string;
  readonly result: Result;
  readonly text?: string;
  readonly at?: string;
  /** What else is said of it; what is empty is left out. */
  readonly attributes?: Fields;
}

export interface DocumentJob {
  readonly name: string;
  /** Why the lab could not run the job: then its tests say nothing, whatever their results. */
  readonly broken?: string | undefined;
  readonly at?: string;
  readonly attributes?: Fields;
}

export function addTest(sink: DocumentSink, { name, result, text, at, attributes }: DocumentTest) {
  const record = new ObservedRecord(0, 'test');
  record.name = name;
  record.result = result;
  finish(sink, record, text, at, attributes);
}

export function addJob(sink: DocumentSink, { name, broken, at, attributes }: DocumentJob): void {
  const record = new ObservedRecord(0, 'job');
  record.name = name;
  record.result = broken === undefined ? null : 'error';
  finish(sink, record, broken, at, attributes);
}

/** A test that a job asks for, and that has not run. */
export function addTask(sink: DocumentSink, name: string, attributes: Fields): void {
  const record = new ObservedRecord(0, 'task');
  record.name = name;
  finish(sink, record, undefined, undefined, attributes);
}

function finish(
  sink: DocumentSink,
  record: ObservedRecord,
  text: string | undefined,
  at: string | undefined,
  attributes: Fields | undefined,
): void {
  record.text = text === undefined || text === '' ? null : text;
  record.at = at === undefined || at === '' ? null : at.slice(0, 100);
  const words = said(attributes ?? {});
  record.attributes = Object.keys(words).length === 0 ? null : words;
  sink.record(record);
}

const RESULTS: Readonly<Record<string, Result>> = {
  pass: 'pass',
  fail: 'fail',
  skip: 'skip',
  error: 'error',
};

/** LAVA's words, and those of others who use them. What is not among them tells nothing. */
export const resultOf = (word: string): Result =>
  Object.hasOwn(RESULTS, word) ? RESULTS[word]! : 'unknown';

/** A suite without the number of its action that LAVA puts before it: `0_pebs-stuck`. */
export const suiteOf = (name: string): string => name.replace(/^\d+_(?=.)/, '');
