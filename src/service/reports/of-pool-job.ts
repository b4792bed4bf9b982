/** A pool job as a report: each of its copies is a test. */
import type { PoolJob, Run } from '../../../schemas/pool-job.js';
import { environmentOf } from './of-observation.js';
import { type Report, type ReportedTest, secondsBetween } from './report.js';
import { type Status, statusOf } from './status.js';

/** What is known of machines, by name. */
export type MachineFacts = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** What became of the last attempt, where it brought no result. */
const ENDED = {
  held: 'has not reported',
  expired: 'did not renew its lease in time',
  reset: 'began afresh',
} as const;

export function poolJobReport(
  job: PoolJob,
  runs: readonly Run[],
  machines: MachineFacts,
  now: Date,
): Report {
  const { id, pool, state, verdict, copies, created_at, finished_at } = job;
  return {
    id,
    label: pool,
    started_at: created_at,
    duration_seconds: secondsBetween(created_at, finished_at, now),
    about: { job: id, pool, state, copies, ...(verdict === null ? {} : { verdict }) },
    tests: runs.map((run) => runTest(job, run, machines, now)),
  };
}

/** The time of a run is that of its last attempt: the others brought nothing. */
function runTest(job: PoolJob, run: Run, machines: MachineFacts, now: Date): ReportedTest {
  const { id, copy, attempts, error_code } = run;
  const last = attempts.at(-1);
  const machine = last?.machine;
  return {
    path: [taskName(job), `copy${copy}`],
    ...outcomeOf(run),
    ...(last === undefined
      ? {}
      : { duration_seconds: secondsBetween(last.acquired_at, last.ended_at, now) }),
    environment: environmentOf({ pool: job.pool, machine, facts: machines.get(machine ?? '') }),
    misc: {
      run: id,
      attempts: attempts.length,
      ...(error_code === undefined ? {} : { error_code }),
    },
  };
}

interface Outcome {
  readonly status: Status;
  readonly reason: string;
}

function taskName({ run: { scenario, counterexample } }: PoolJob): string {
  return scenario ?? counterexample?.counterexample ?? 'script';
}

function outcomeOf({ state, verdict, result, observed, error_code, attempts }: Run): Outcome {
  const { machine, state: ending = 'held' } = attempts.at(-1) ?? {};
  const missed = (reason: string): Outcome => ({ status: statusOf('missed'), reason });
  if (state === 'cancelled') return { status: statusOf('skip'), reason: 'it was cancelled' };
  if (state === 'queued') return missed('it waits for a machine');
  if (verdict === null) return missed(`${machine} has not reported yet`);
  if (observed === undefined && ending !== 'completed')
    return missed(`${machine} ${ENDED[ending]}`);
  const reason =
    verdict === observed
      ? `its observations show ${observed}`
      : (error_code ?? `${machine} reported ${result}`);
  return { status: statusOf(verdict), reason };
}
