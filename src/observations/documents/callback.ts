/** Whose callback a body is: the job by which it is known again when it is sent twice, and the machine that it is about. */
import { BadDocument } from './document.js';
import { formFields } from './lava.js';
import { parseJson } from './parse.js';
import { field, fieldsOf, isFields, objectAt, textOf } from './values.js';

export const CALLBACK_FORMATS = ['lava-callback', 'pull-labs'] as const;
export type CallbackFormat = (typeof CALLBACK_FORMATS)[number];

export interface Callback {
  /** The job, with its state where it may be told of more than once; null: the body does not say. */
  readonly job: string | null;
  readonly machine: string | null;
}

/** Throws BadDocument where the body cannot be what it is sent for. */
export function callbackOf(format: CallbackFormat, text: string): Callback {
  return format === 'lava-callback' ? ofLava(text) : ofPullLabs(text);
}

function ofLava(text: string): Callback {
  const body = formFields(text) ?? objectAt(parseJson(text), '');
  const id = textOf(field(body, 'id'));
  if (!/^\d{1,18}$/.test(id)) throw new BadDocument('/id', 'must be the number of the job');
  const state = textOf(field(body, 'status_string')) || textOf(field(body, 'status'));
  if (state === '') throw new BadDocument('/status_string', 'must be the state of the job');
  const results = field(body, 'results');
  const isResults =
    results === undefined || isFields(results) || Array.isArray(results) || results === '';
  if (!isResults && typeof results !== 'string') {
    throw new BadDocument('/results', 'must be an object');
  }
  return { job: `${id} ${state}`, machine: nonEmpty(textOf(field(body, 'actual_device_id'))) };
}

function ofPullLabs(text: string): Callback {
  const body = objectAt(parseJson(text), '');
  for (const name of ['summary', 'metadata', 'tests', 'artifacts']) {
    objectAt(field(body, name), `/${name}`);
  }
  const known = ['tests', 'summary', 'metadata', 'error_code'].some((name) =>
    Object.hasOwn(body, name),
  );
  if (!known) throw new BadDocument('/tests', 'must be an object with the tests by name');
  const metadata = fieldsOf(field(body, 'metadata'));
  const id =
    textOf(field(body, 'id')) ||
    textOf(field(body, 'node_id')) ||
    textOf(field(body, 'job_id')) ||
    textOf(field(metadata, 'job_id'));
  return { job: nonEmpty(id), machine: nonEmpty(textOf(field(metadata, 'system'))) };
}

const nonEmpty = (text: string): string | null => (text === '' ? null : text);
