/** What the machine refuses, as problems that name the field. */
import { WorldError } from '../model/world-error.js';
import { Refused } from '../pmu/stepping/refused.js';
import { ProblemError } from './problem-error.js';

export function missing(what: string, id: string): never {
  throw new ProblemError('not_found', `There is no ${what} ${id}.`);
}

export function ambiguous(what: string, name: string, ids: readonly string[]): never {
  const detail = `More than one ${what} is called ${name}: ${ids.join(', ')}.`;
  throw new ProblemError('ambiguous_name', detail);
}

/** Runs an action; what the machine refuses is thrown as a problem with the pointer put before its field. */
export async function refusalsAsProblems<Result>(
  pointer: string,
  act: () => Promise<Result> | Result,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw asProblem(error, pointer);
  }
}

/** The same for an action that is done at once. */
export function problemAt<Result>(pointer: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw asProblem(error, pointer);
  }
}

function asProblem(error: unknown, pointer: string): unknown {
  if (error instanceof WorldError) {
    return problemOf(error, pointer + error.place);
  }
  if (error instanceof Refused) {
    return problemOf(error, pointer);
  }
  if (error instanceof ProblemError && pointer !== '') {
    const errors = error.errors.map((item) => ({ ...item, pointer: pointer + item.pointer }));
    return new ProblemError(error.code, `In ${pointer}: ${error.message}`, errors, error.extra);
  }
  return error;
}

const CODES = {
  state: 'conflict',
  rule: 'rule_violated',
  perf: 'perf_errno',
  limit: 'limit_reached',
  range: 'value_out_of_range',
} as const;

function problemOf(refused: Refused, pointer: string): ProblemError {
  const reason = refused.message;
  // Names of fields and functions keep their spelling at the start of a sentence too.
  const startsWithName = /^[a-z]+_/.test(reason);
  const detail = `${startsWithName ? reason : reason.charAt(0).toUpperCase() + reason.slice(1)}.`;
  const at = pointer + refused.field;
  return new ProblemError(
    CODES[refused.kind],
    pointer === '' ? detail : `In ${pointer}: ${detail}`,
    at === '' ? [] : [{ pointer: at, detail: reason }],
    refused.errno === undefined ? {} : { errno: refused.errno },
  );
}
