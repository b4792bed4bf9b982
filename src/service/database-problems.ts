/** Database failures as problems. */
import { awayReason, isKeyAnswered } from '../store/database-errors.js';
import { type ProblemError, tryLater } from './problem-error.js';

interface DatabaseProblem {
  readonly problem: ProblemError;
  /** Why the database is unavailable; undefined if it is not. */
  readonly outage?: string;
}

/** Undefined for errors that do not come from the database. */
export function databaseProblem(error: unknown): DatabaseProblem | undefined {
  const outage = awayReason(error);
  if (outage !== undefined) {
    const detail = `The database is unavailable: ${outage}. This request may or may not have taken effect; repeat it with its Idempotency-Key.`;
    return { problem: tryLater('unavailable', detail, 1), outage };
  }
  if (isKeyAnswered(error)) {
    const detail =
      'Another instance has meanwhile answered a request with this Idempotency-Key; this one changed nothing. Repeat it with its key.';
    return { problem: tryLater('idempotency_key_in_flight', detail, 1) };
  }
  return undefined;
}
