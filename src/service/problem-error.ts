/** Expected failures as they are thrown: by services, and by what reads a request. One handler makes problem bodies of them. */
import { PROBLEMS, type ProblemCode } from '../../schemas/problem-codes.js';
import type { Errno } from '../pmu/perf/open-rules.js';

/** One thing that is wrong: `pointer` into the body, or into the query or path when `in` says so. */
export interface ProblemItem {
  readonly pointer: string;
  readonly detail: string;
  readonly in?: 'query' | 'path' | 'header';
}

/** Members beside the standard ones; more may be added, clients ignore what they do not know. */
export interface ProblemExtra {
  readonly errno?: Errno;
  /** Where the events that are kept begin. */
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

/** A refusal that is over after so many seconds. */
export function tryLater(code: ProblemCode, detail: string, seconds: number): ProblemError {
  return new ProblemError(code, detail, [], {}, { 'retry-after': String(seconds) });
}

/** A field that has the right shape and cannot be meant; `detail` goes on from the field's name. */
export function ruleViolated(pointer: string, detail: string): ProblemError {
  return new ProblemError('rule_violated', `${pointer} ${detail}.`, [{ pointer, detail }]);
}
