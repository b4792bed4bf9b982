/** What clients read of pools, machines, jobs, runs and leases. */
import type { Beat, Completion, Lease, Lent } from '../../../schemas/lease.js';
import type { Machine, PoolSummary } from '../../../schemas/pool.js';
import type { PoolJob, Run } from '../../../schemas/pool-job.js';
import type { Attempt, ClaimedRow, LentRow } from '../../store/lease-store.js';
import type { JobAsked, JobRow, RunCounts, RunRow } from '../../store/pool-job-store.js';
import type { MachineRow, PoolRow } from '../../store/pool-store.js';
import { RUN_RESULTS, type RunResult } from '../../store/vocabulary.js';

/** A lease is renewed a few times before it would end. */
const BEATS_PER_LEASE = 5;

/** A lease has the name of its run, whoever holds it. */
export function leaseOfRun(run: string): string {
  return run.replace(/^run_/, 'lease_');
}

export function runOfLease(lease: string): string {
  return lease.replace(/^lease_/, 'run_');
}

function beatSeconds(leaseSeconds: number): number {
  return Math.max(1, Math.floor(leaseSeconds / BEATS_PER_LEASE));
}

export function poolItem({ name, title, leaseSeconds, draining, createdAt }: PoolRow): PoolSummary {
  return {
    name,
    ...(title === null ? {} : { title }),
    lease_seconds: leaseSeconds,
    beat_seconds: beatSeconds(leaseSeconds),
    draining,
    created_at: createdAt.toISOString(),
  };
}

export function machineItem(row: MachineRow): Machine {
  const { pool, name, labels, facts, identity, createdAt, seenAt, run, expiresAt } = row;
  return {
    pool,
    name,
    labels: [...labels],
    facts: { ...facts },
    identity: identity as Machine['identity'],
    created_at: createdAt.toISOString(),
    ...(seenAt === null ? {} : { seen_at: seenAt.toISOString() }),
    ...(run === null ? {} : { lease: leaseOfRun(run) }),
    ...(expiresAt === null ? {} : { lease_expires_at: expiresAt.toISOString() }),
  };
}

function askedItem(asked: JobAsked): Lent['job'] {
  const { id, pool, requires, run, copies, timeoutSeconds, priority, createdAt } = asked;
  return {
    id,
    pool,
    requires,
    run,
    copies,
    timeout_seconds: timeoutSeconds,
    priority,
    created_at: createdAt.toISOString(),
  };
}

export function jobItem(row: JobRow): PoolJob {
  const { counts, isCancelled, finishedAt } = row;
  return {
    ...askedItem(row),
    state: jobState(row),
    cancel_requested: isCancelled,
    verdict: RUN_RESULTS.find((result) => counts[result] > 0) ?? null,
    runs: { ...counts },
    ...(finishedAt === null ? {} : { finished_at: finishedAt.toISOString() }),
  };
}

function jobState({ counts, copies, isCancelled, finishedAt }: JobRow): PoolJob['state'] {
  if (finishedAt !== null) return isCancelled ? 'cancelled' : 'succeeded';
  return counts.queued === copies ? 'queued' : 'running';
}

export function noRuns(): RunCounts {
  return { queued: 0, leased: 0, fail: 0, error: 0, pass: 0, skip: 0, cancelled: 0 };
}

export function runItem(row: RunRow): Run {
  const { id, jobId, n, state, result, observed, errorCode, finishedAt } = row;
  return {
    id,
    job: jobId,
    copy: n,
    lease: leaseOfRun(id),
    state,
    verdict: state === 'finished' ? (observed ?? result) : null,
    ...(result === null ? {} : { result }),
    ...(observed === null ? {} : { observed }),
    ...(errorCode === null ? {} : { error_code: errorCode }),
    attempts: row.attempts.map((attempt) => ({
      fencing_token: attempt.fence,
      machine: attempt.machine,
      state: attempt.state,
      ...(attempt.result === null ? {} : { result: attempt.result }),
      ...(attempt.error_code === null ? {} : { error_code: attempt.error_code }),
      acquired_at: time(attempt.acquired_at),
      ...(attempt.ended_at === null ? {} : { ended_at: time(attempt.ended_at) }),
      ...(attempt.reported_at === null ? {} : { reported_at: time(attempt.reported_at) }),
    })),
    ...(finishedAt === null ? {} : { finished_at: finishedAt.toISOString() }),
  };
}

const time = (text: string): string => new Date(text).toISOString();

export function lentItem(row: ClaimedRow): Lent {
  const { id, n, fence, job } = row;
  return {
    lease: leaseItem(row, 'held'),
    run: { id, copy: n, attempt: fence },
    job: askedItem(job),
  };
}

export function leaseItem(row: LentRow, state: Lease['state']): Lease {
  const { id, fence, pool, machine, acquiredAt } = row;
  return {
    id: leaseOfRun(id),
    fencing_token: fence,
    pool,
    machine: machine as string,
    state,
    acquired_at: (acquiredAt as Date).toISOString(),
    ...untilWhen(row),
  };
}

export function beatItem(row: LentRow): Beat {
  const { isCancelled, draining } = row;
  return { action: isCancelled ? 'cancel' : draining ? 'drain' : 'continue', ...untilWhen(row) };
}

function untilWhen({ expiresAt, secondsLeft, leaseSeconds }: LentRow) {
  return {
    expires_at: (expiresAt as Date).toISOString(),
    expires_in_seconds: Math.max(0, secondsLeft as number),
    beat_seconds: beatSeconds(leaseSeconds),
  };
}

export function completionItem(
  run: string,
  fence: number,
  { state, result, errorCode }: Attempt,
): Completion {
  return {
    id: leaseOfRun(run),
    run,
    fencing_token: fence,
    state,
    result: result as RunResult,
    ...(errorCode === null ? {} : { error_code: errorCode }),
    counts: state === 'completed',
  };
}

/** Who holds a run that was claimed as a node: Maestro does not ask for a machine. */
export function nodeHolder(run: string): string {
  return run.replace(/^run_/, 'pull-labs.');
}
