/** What a verdict counts for in reports of tests: one table for all that is reported, and for all formats. */
import type { Observation } from '../../../schemas/observation.js';

/** KCIDB's words, the gravest first: of several tests together, the gravest counts. */
export const STATUSES = ['FAIL', 'ERROR', 'MISS', 'PASS', 'DONE', 'SKIP'] as const;
export type Status = (typeof STATUSES)[number];

const TABLE = {
  /** Of the register on a machine. */
  stuck: 'FAIL',
  transient: 'FAIL',
  clean: 'PASS',
  not_applicable: 'SKIP',
  inconclusive: 'ERROR',
  /** There is nothing that could be judged. */
  none: 'SKIP',
  /** Of a test. */
  pass: 'PASS',
  fail: 'FAIL',
  skip: 'SKIP',
  error: 'ERROR',
  unknown: 'ERROR',
  /** Of a cell of a campaign. */
  violated: 'FAIL',
  skipped: 'SKIP',
  incomplete: 'MISS',
  /** Of what did not come about: a lease that expired, a text that could not be read. */
  missed: 'MISS',
  /** Of what was measured only. */
  measured: 'DONE',
} as const satisfies Record<string, Status>;

export const statusOf = (verdict: keyof typeof TABLE): Status => TABLE[verdict];

export function gravest(statuses: readonly Status[]): Status {
  return STATUSES.find((status) => statuses.includes(status)) ?? 'MISS';
}

export type Judged = Pick<Observation, 'state' | 'verdict' | 'class' | 'test_counts'>;

/** Of an observation as a whole: its verdict and its tests, unless the lab has spoilt them. */
export function observationStatus(observation: Judged): Status {
  const { state, verdict = 'none', class: whose } = observation;
  if (state !== 'done') return statusOf('missed');
  const judged = statusOf(verdict);
  if (judged === 'FAIL') return judged;
  const { pass = 0, fail = 0, skip = 0, error = 0 } = observation.test_counts ?? {};
  if (whose === 'harness')
    return statusOf(verdict === 'none' && fail + pass === 0 ? 'missed' : 'error');
  return gravest([
    ...(verdict === 'none' && pass + fail + skip + error > 0 ? [] : [judged]),
    ...(fail > 0 ? [statusOf('fail')] : []),
    ...(pass > 0 ? [statusOf('pass')] : []),
    ...(skip > 0 ? [statusOf('skip')] : []),
  ]);
}
