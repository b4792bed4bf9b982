/** Expected failures, as services and request parsing throw them. One handler turns them into problem bodies. */
import { PROBLEMS, type ProblemCode } from '../../schemas/problem-codes.js';
import type { Errno } from '../pmu/perf/open-rules.js';

/** One error: `pointer` into the body, or into the part of the request that `in` names. */
export interface ProblemItem {
  readonly pointer: string;
  readonly detail: string;
  readonly in?: 'query' | 'path' | 'header';
}

/** Members besides the standard ones. */
export interface ProblemExtra {
  readonly errno?: Errno;
  /** The oldest place in the stored events. */
  readonly restart_cursor?: string;
}

/** An expected failure: thrown anywhere below a route, turned into a problem body by one handler. */
export class ProblemError extends Error {
  readonly status: number;

  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly errors: readonly ProblemItem[] = [],
    readonly extra: ProblemExtra = {},
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
    this.name = 'ProblemError';
    this.status = PROBLEMS[code].status;
  }
}

/** A problem with `Retry-After`. */
export function tryLater(code: ProblemCode, detail: string, seconds: number): ProblemError {
  return new ProblemError(code, detail, [], {}, { 'retry-after': String(seconds) });
}

/** A field of the right type with an invalid value; `detail` continues the sentence after the field's name. */
export function fieldRefused(code: ProblemCode, pointer: string, detail: string): ProblemError {
  return new ProblemError(code, `${pointer} ${detail}.`, [{ pointer, detail }]);
}

export function ruleViolated(pointer: string, detail: string): ProblemError {
  return fieldRefused('rule_violated', pointer, detail);
}

/** The same of a parameter of the query. */
export function queryRefused(code: ProblemCode, name: string, detail: string): ProblemError {
  const pointer = `/${name}`;
  return new ProblemError(code, `${name} ${detail}.`, [{ pointer, detail, in: 'query' }]);
}
