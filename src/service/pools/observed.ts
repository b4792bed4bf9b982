/** What an observation says of the run that its machine was lent for. */
import type { ObservedVerdict } from '../../observations/vocabulary.js';
import type { RunResult } from '../../store/vocabulary.js';
import { runOfLease } from './pool-views.js';

const RESULTS: Readonly<Record<ObservedVerdict, RunResult | undefined>> = {
  stuck: 'fail',
  transient: 'fail',
  clean: 'pass',
  not_applicable: 'skip',
  inconclusive: 'error',
  none: undefined,
};

/** Undefined where it belongs to no run, or shows nothing. */
export function shownOfRun(
  lease: string | undefined,
  verdict: ObservedVerdict,
): { run: string; result: RunResult } | undefined {
  const result = RESULTS[verdict];
  if (lease === undefined || !isLease(lease) || result === undefined) return undefined;
  return { run: runOfLease(lease), result };
}

/** Observations may name the leases of other services, too. */
export function isLease(name: string): boolean {
  return /^lease_[0-9a-z]{1,26}$/.test(name);
}
