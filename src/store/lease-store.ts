/**
 * Lending runs to machines. All times are those of the database: nobody compares clocks. What becomes of a run is decided by
 * whoever calls, about a row that nobody else can change meanwhile.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.js';
import { isMachineBusy } from './database-errors.js';
import { insertAnswer, type StoredAnswer } from './idempotency-store.js';
import { endRuns, type JobAsked } from './pool-job-store.js';
import { lendable } from './pool-store.js';
import type { Tables } from './tables.js';
import type { AttemptState, RunResult, RunState } from './vocabulary.js';
import { notify } from './work-store.js';

/** How a run stands, with its newest lease. */
export interface LentRow {
  readonly id: string;
  readonly n: number;
  readonly pool: string;
  readonly jobId: string;
  readonly state: RunState;
  readonly fence: number;
  readonly machine: string | null;
  readonly acquiredAt: Date | null;
  readonly renewedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly secondsLeft: number | null;
  /** Its lease has not been renewed in time. */
  readonly isOver: boolean;
  readonly isCancelled: boolean;
  readonly leaseSeconds: number;
  readonly draining: boolean;
}

export interface ClaimedRow extends LentRow {
  readonly job: JobAsked;
}

export interface Attempt {
  readonly state: AttemptState;
  readonly result: RunResult | null;
  readonly errorCode: string | null;
}

export interface ReportedResult {
  readonly result: RunResult;
  readonly errorCode: string | undefined;
}

interface RunAfter {
  readonly state: RunState;
  readonly result: RunResult | null;
}

/** A run whose row is locked. */
export interface LockedRun extends LentRow {
  attempt(fence: number): Promise<Attempt | undefined>;
  renew(): Promise<void>;
  /** Only keeps what was reported. */
  report(fence: number, report: ReportedResult): Promise<void>;
  /** Ends the newest attempt, and says what becomes of the run. Only where the job was locked, too. */
  end(ending: AttemptState, after: RunAfter, report?: ReportedResult): Promise<void>;
  /** The row as it is now. */
  again(): Promise<LentRow>;
}

export class LeaseStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Lends a machine the first run that it fits, and stores the answer with it. `busy`: it holds a lease already. */
  async claim(
    pool: string,
    machine: string,
    answerOf: (row: ClaimedRow) => StoredAnswer | undefined,
  ): Promise<ClaimedRow | 'nothing' | 'busy'> {
    try {
      return await this.database.query.transaction().execute(async (trx) => {
        const { rows } = await CLAIM(pool, machine).execute(trx);
        const [claimed] = rows;
        if (claimed === undefined) return 'nothing';
        const asked = await sql<JobAsked>`
          select id, pool, requires, run, copies, timeout_seconds as "timeoutSeconds", priority, created_at as "createdAt"
            from pool_jobs where id = ${claimed.job}`.execute(trx);
        const row = { ...(await lent(trx, claimed.id)), job: asked.rows[0] } as ClaimedRow;
        await insertAnswer(trx, answerOf(row));
        return row;
      });
    } catch (error) {
      // Another instance was asked for the same machine at the same moment.
      if (isMachineBusy(error)) return 'busy';
      throw error;
    }
  }

  /** The run that a machine holds a lease of. */
  async runOf(
    pool: string,
    machine: string,
  ): Promise<{ readonly id: string; readonly isOver: boolean } | undefined> {
    return this.database.query
      .selectFrom('pool_runs')
      .select(['id', sql<boolean>`expires_at <= now()`.as('isOver')])
      .where('pool', '=', pool)
      .where('machine', '=', machine)
      .where(IS_LEASED)
      .executeTakeFirst();
  }

  async get(run: string): Promise<LentRow | undefined> {
    return lent(this.database.query, run);
  }

  async attempt(run: string, fence: number): Promise<Attempt | undefined> {
    return attemptOf(this.database.query, run, fence);
  }

  /** The machines that have held leases of a run, the last one first. */
  async machinesOf(run: string): Promise<string[]> {
    const rows = await this.database.query
      .selectFrom('pool_attempts')
      .select('machine')
      .where('run_id', '=', run)
      .orderBy('fence', 'desc')
      .execute();
    return rows.map(({ machine }) => machine);
  }

  /** Runs whose leases have not been renewed in time. */
  async over(pool?: string): Promise<string[]> {
    const rows = await this.database.query
      .selectFrom('pool_runs')
      .select('id')
      .where(IS_LEASED)
      .where(sql<boolean>`expires_at <= now()`)
      .$if(pool !== undefined, (query) => query.where('pool', '=', pool as string))
      .orderBy('expires_at')
      .limit(OVER_MAX)
      .execute();
    return rows.map(({ id }) => id);
  }

  /** Acts on a run that nobody else can change meanwhile; undefined where there is none. To end its lease, its job is locked first. */
  async locked<Result>(
    run: string,
    lock: 'run' | 'job',
    act: (run: LockedRun) => Promise<Result>,
  ): Promise<Result | undefined> {
    return this.database.query.transaction().execute((trx) => withLocked(trx, run, lock, act));
  }
}

/** The same as a part of what else is to happen, or not to. */
export async function withLocked<Result>(
  trx: Kysely<Tables>,
  run: string,
  lock: 'run' | 'job',
  act: (run: LockedRun) => Promise<Result>,
): Promise<Result | undefined> {
  if (lock === 'job') {
    await sql`
      select from pool_jobs where id = (select job_id from pool_runs where id = ${run}) for update`.execute(
      trx,
    );
  }
  await sql`select from pool_runs where id = ${run} for update`.execute(trx);
  const row = await lent(trx, run);
  return row === undefined ? undefined : act(lockedRun(trx, row));
}

/** Not as a parameter: with a general plan its value is not known, and so not which index has it. */
const IS_LEASED = sql<boolean>`state = 'leased'`;

/** As many as are looked after in one go. */
const OVER_MAX = 100;

/**
 * One statement: two instances never get the same run, since the one that comes second skips the row that is locked. A machine
 * that holds a lease gets nothing; where two instances are asked for it at once, the index pool_runs_held refuses the second.
 * Jobs are few and runs are many: which jobs fit is found first, and `is true` keeps the planner from joining and sorting all
 * runs that wait, where the first one of the index will do.
 */
const CLAIM = (pool: string, machine: string) => sql<{ id: string; job: string }>`
  with fitting as materialized (
    select j.id, make_interval(secs => least(p.lease_seconds, j.timeout_seconds)) as lasts
      from pool_machines m
      join pools p on p.name = m.pool
      join pool_jobs j on j.pool = m.pool and j.finished_at is null
     where m.pool = ${pool} and m.name = ${machine} and not p.draining
       and coalesce(j.requires ->> 'machine', m.name) = m.name
       and (j.requires ->> 'platform_class' is null or j.requires ->> 'platform_class' = m.identity ->> 'platform_class')
       and (j.requires ->> 'cpu_model' is null or j.requires ->> 'cpu_model' = m.identity ->> 'cpu_model')
       and (j.requires ->> 'fix_state' is null or j.requires ->> 'fix_state' = m.identity ->> 'fix_state')
       and coalesce(j.requires -> 'labels', '[]') <@ to_jsonb(m.labels)
  ), free as (
    select r.id, r.fence + 1 as fence
      from pool_runs r
     where r.pool = ${pool} and r.state = 'queued' and exists (select from fitting)
       and (r.job_id in (select id from fitting)) is true
     order by r.priority desc, r.seq
     limit 1
     for update skip locked
  ), claimed as (
    update pool_runs r
       set state = 'leased', fence = free.fence, machine = ${machine}, acquired_at = now(), renewed_at = null,
           expires_at = now() + (select lasts from fitting where fitting.id = r.job_id)
      from free where r.id = free.id
    returning r.id, r.job_id, r.fence
  ), attempted as (
    insert into pool_attempts (run_id, fence, machine) select id, fence, ${machine} from claimed
  )
  select id, job_id as job from claimed`;

async function lent(trx: Kysely<Tables>, run: string): Promise<LentRow | undefined> {
  const { rows } = await sql<LentRow>`
    select r.id, r.n, r.pool, r.job_id as "jobId", r.state, r.fence, r.machine,
           r.acquired_at as "acquiredAt", r.renewed_at as "renewedAt", r.expires_at as "expiresAt",
           extract(epoch from r.expires_at - now())::float8 as "secondsLeft",
           coalesce(r.expires_at <= now(), false) as "isOver", j.is_cancelled as "isCancelled",
           p.lease_seconds as "leaseSeconds", p.draining
      from pool_runs r join pool_jobs j on j.id = r.job_id join pools p on p.name = r.pool
     where r.id = ${run}`.execute(trx);
  return rows[0];
}

function attemptOf(trx: Kysely<Tables>, run: string, fence: number): Promise<Attempt | undefined> {
  return trx
    .selectFrom('pool_attempts')
    .select(['state', 'result', 'error_code as errorCode'])
    .where('run_id', '=', run)
    .where('fence', '=', fence)
    .executeTakeFirst();
}

function lockedRun(trx: Kysely<Tables>, row: LentRow): LockedRun {
  const { id, pool, jobId, fence } = row;
  const attempts = trx.updateTable('pool_attempts').where('run_id', '=', id);
  const reported = ({ result, errorCode }: ReportedResult) => ({
    result,
    error_code: errorCode ?? null,
    reported_at: sql<Date>`now()`,
  });
  return {
    ...row,
    attempt: (fence) => attemptOf(trx, id, fence),
    renew: async () => {
      await sql`
        update pool_runs r
           set renewed_at = now(),
               expires_at = least(now() + make_interval(secs => p.lease_seconds),
                                  r.acquired_at + make_interval(secs => j.timeout_seconds))
          from pools p, pool_jobs j
         where r.id = ${id} and p.name = r.pool and j.id = r.job_id`.execute(trx);
    },
    report: async (fence, report) => {
      await attempts.where('fence', '=', fence).set(reported(report)).execute();
    },
    end: async (ending, { state, result }, report) => {
      await attempts
        .where('fence', '=', fence)
        .set({
          state: ending,
          ended_at: sql<Date>`now()`,
          ...(report === undefined ? {} : reported(report)),
        })
        .execute();
      const hasEnded = state !== 'queued';
      await trx
        .updateTable('pool_runs')
        .set({
          state,
          result,
          error_code: hasEnded && result !== null ? (report?.errorCode ?? null) : null,
          // What was the lab's fault is no verdict on the next attempt.
          ...(hasEnded
            ? { finished_at: sql<Date>`now()` }
            : {
                queued_at: sql<Date>`clock_timestamp()`,
                observed: sql`nullif(observed, 'error')`,
              }),
        })
        .where('id', '=', id)
        .execute();
      if (hasEnded) await endRuns(trx, jobId, 1);
      else await notify(trx, lendable(pool));
    },
    again: async () => (await lent(trx, id)) as LentRow,
  };
}
