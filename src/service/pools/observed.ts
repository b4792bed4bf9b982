/** What an observation says of the run that its machine was lent for. */
import type { RunResult } from '../../store/vocabulary.js';
import { type Judged, observationStatus, type Status } from '../reports/status.js';
import { runOfLease } from './pool-views.js';

const RESULTS: Readonly<Record<Status, RunResult>> = {
  FAIL: 'fail',
  ERROR: 'error',
  MISS: 'error',
  PASS: 'pass',
  DONE: 'pass',
  SKIP: 'skip',
};

/** Undefined where it belongs to no run, or shows nothing. */
export function shownOfRun(
  lease: string | undefined,
  answer: Omit<Judged, 'state'>,
): { run: string; result: RunResult } | undefined {
  if (lease === undefined || !isLease(lease)) return undefined;
  const { verdict, class: whose, test_counts } = answer;
  const tests = Object.values(test_counts ?? {}).reduce((sum, count) => sum + count, 0);
  if (verdict === 'none' && whose !== 'harness' && tests === 0) return undefined;
  const result = RESULTS[observationStatus({ ...answer, state: 'done' })];
  return { run: runOfLease(lease), result };
}

/** Observations may name the leases of other services, too. */
export function isLease(name: string): boolean {
  return /^lease_[0-9a-z]{1,26}$/.test(name);
}
