/** What an observation says of the run that its machine was lent for. */
import type { Kysely } from 'kysely';
import { withLocked } from '../../store/lease-store.js';
import { observeRun } from '../../store/pool-job-store.js';
import type { Tables } from '../../store/tables.js';
import type { RunResult } from '../../store/vocabulary.js';
import { type Judged, observationStatus, type Status } from '../reports/status.js';
import { runOfLease } from './pool-views.js';
import { takeResult } from './run-ends.js';

const RESULTS: Readonly<Record<Status, RunResult>> = {
  FAIL: 'fail',
  ERROR: 'error',
  MISS: 'error',
  PASS: 'pass',
  DONE: 'pass',
  SKIP: 'skip',
};

/** The fencing token with which a text is also what the holder of a lease reports; `later`: that is yet to come. */
export type ResultToken = number | 'later' | undefined;

/** Undefined where it belongs to no run, or changes nothing for it. */
export function settlesRun(
  lease: string | undefined,
  resultToken: ResultToken,
  answer: Omit<Judged, 'state'>,
): ((trx: Kysely<Tables>) => Promise<void>) | undefined {
  if (lease === undefined || !isLease(lease) || resultToken === 'later') return undefined;
  const run = runOfLease(lease);
  const shown = resultOf(answer);
  if (resultToken === undefined) {
    return shown === undefined ? undefined : (trx) => observeRun(trx, run, shown);
  }
  // A report without a result is the lab's fault.
  const reported = { result: shown ?? 'error', errorCode: undefined };
  return async (trx) => {
    await withLocked(trx, run, 'job', async (row) => {
      if (shown !== undefined) await observeRun(trx, run, shown);
      await takeResult(row, resultToken, reported);
    });
  };
}

/** Undefined where it shows nothing. */
function resultOf(answer: Omit<Judged, 'state'>): RunResult | undefined {
  const { verdict, class: whose, test_counts } = answer;
  const tests = Object.values(test_counts ?? {}).reduce((sum, count) => sum + count, 0);
  if (verdict === 'none' && whose !== 'harness' && tests === 0) return undefined;
  return RESULTS[observationStatus({ ...answer, state: 'done' })];
}

/** Observations may name the leases of other services, too. */
export function isLease(name: string): boolean {
  return /^lease_[0-9a-z]{1,26}$/.test(name);
}
