/** What goes wrong between a service and its database, as problems. */
import { awayReason, isKeyAnswered } from '../store/database-errors.js';
import { type ProblemError, tryLater } from './problem-error.js';

interface DatabaseProblem {
  readonly problem: ProblemError;
  /** Why the database is away; undefined where it is not. */
  readonly outage?: string;
}

/** Undefined where an error is no doing of the database. */
export function databaseProblem(error: unknown): DatabaseProblem | undefined {
  const outage = awayReason(error);
  if (outage !== undefined) {
    const detail = `Nothing can be stored or read now: ${outage}. Whether this request changed something is not certain; repeat it under its Idempotency-Key.`;
    return { problem: tryLater('unavailable', detail, 1), outage };
  }
  if (isKeyAnswered(error)) {
    const detail =
      'A request with this Idempotency-Key was answered elsewhere meanwhile, and nothing was changed by this one. Send it again with its key.';
    return { problem: tryLater('idempotency_key_in_flight', detail, 1) };
  }
  return undefined;
}
