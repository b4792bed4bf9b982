/** Pool jobs and their runs, for those who ask for them. How a run is lent is in lease-store.ts. */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.js';
import { insertAnswer, type StoredAnswer } from './idempotency-store.js';
import { lendable } from './pool-store.js';
import type { Tables } from './tables.js';
import { type AttemptState, RUN_RESULTS, type RunResult, type RunState } from './vocabulary.js';
import { finished, notify } from './work-store.js';

/** What a job asks for; it never changes. */
export interface JobAsked {
  readonly id: string;
  readonly pool: string;
  readonly requires: object;
  readonly run: object;
  readonly copies: number;
  readonly timeoutSeconds: number;
  readonly priority: number;
  readonly createdAt: Date;
}

export interface JobRow extends JobAsked {
  readonly seq: number;
  readonly isCancelled: boolean;
  readonly finishedAt: Date | null;
  readonly counts: RunCounts;
}

/** Runs by state, those that have finished by verdict. */
export type RunCounts = Readonly<Record<Exclude<RunState, 'finished'> | RunResult, number>>;

interface AttemptRow {
  readonly fence: number;
  readonly machine: string;
  readonly state: AttemptState;
  readonly result: RunResult | null;
  readonly error_code: string | null;
  /** As JSON has them. */
  readonly acquired_at: string;
  readonly ended_at: string | null;
  readonly reported_at: string | null;
}

export interface RunRow {
  readonly id: string;
  readonly seq: number;
  readonly jobId: string;
  readonly n: number;
  readonly state: RunState;
  readonly result: RunResult | null;
  readonly errorCode: string | null;
  readonly observed: RunResult | null;
  readonly finishedAt: Date | null;
  readonly attempts: readonly AttemptRow[];
}

type NewJob = Omit<JobAsked, 'createdAt'>;

interface Limits {
  readonly jobs: number;
  readonly runs: number;
}

type Added = JobRow | 'no pool' | 'full';

export class PoolJobStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Adds it with its runs, unless too much waits in its pool. */
  async add(
    job: NewJob,
    runs: readonly string[],
    limits: Limits,
    answerOf: (row: JobRow) => StoredAnswer | undefined,
  ): Promise<Added> {
    const { id, pool, requires, run, copies, timeoutSeconds, priority } = job;
    return this.database.query.transaction().execute(async (trx) => {
      // Those who add to a pool do so one after the other.
      const { rows: pools } =
        await sql`select from pools where name = ${pool} for no key update`.execute(trx);
      if (pools.length === 0) return 'no pool';
      const { rows: unfinished } = await sql<{ jobs: number; runs: number }>`
        select count(*)::int as jobs, coalesce(sum(unfinished), 0)::int as runs
          from pool_jobs where pool = ${pool} and finished_at is null`.execute(trx);
      const { jobs, runs: waiting } = unfinished[0] as (typeof unfinished)[number];
      if (jobs >= limits.jobs || waiting + copies > limits.runs) return 'full';
      await trx
        .insertInto('pool_jobs')
        .values({
          id,
          pool,
          requires: JSON.stringify(requires),
          run: JSON.stringify(run),
          copies,
          timeout_seconds: timeoutSeconds,
          priority,
          unfinished: copies,
        })
        .execute();
      await sql`
        insert into pool_runs (id, pool, job_id, n, priority, queued_at)
        select r.id, ${pool}, ${id}, r.n, ${priority}::int, clock_timestamp() + r.n * interval '1 microsecond'
          from unnest(${[...runs]}::text[]) with ordinality r (id, n)`.execute(trx);
      const row = (await jobsOf(trx).where('j.id', '=', id).executeTakeFirstOrThrow()) as JobRow;
      await insertAnswer(trx, answerOf(row));
      await notify(trx, lendable(pool));
      return row;
    });
  }

  async get(id: string): Promise<JobRow | undefined> {
    return jobsOf(this.database.query).where('j.id', '=', id).executeTakeFirst() as Promise<
      JobRow | undefined
    >;
  }

  /** Those before a number, the newest first. */
  async list(before: number, limit: number, pool: string | undefined): Promise<JobRow[]> {
    return jobsOf(this.database.query)
      .where('j.seq', '<', before)
      .$if(pool !== undefined, (query) => query.where('j.pool', '=', pool as string))
      .orderBy('j.seq', 'desc')
      .limit(limit)
      .execute() as Promise<JobRow[]>;
  }

  /** Its runs after a number, in order, with their attempts. */
  async runs(job: string, after: number, limit: number): Promise<RunRow[]> {
    const { rows } = await sql<RunRow>`
      select r.id, r.n as seq, r.job_id as "jobId", r.n, r.state, r.result, r.error_code as "errorCode",
             r.observed, r.finished_at as "finishedAt",
             coalesce((select jsonb_agg(to_jsonb(a) - 'run_id' order by a.fence)
                         from pool_attempts a where a.run_id = r.id), '[]') as attempts
        from pool_runs r
       where r.job_id = ${job} and r.n > ${after} order by r.n limit ${limit}`.execute(
      this.database.query,
    );
    return rows;
  }

  /** What is known of the machines that have tried its runs, by name. */
  async machineFacts(job: string): Promise<Map<string, Readonly<Record<string, string>>>> {
    const { rows } = await sql<{ name: string; facts: Record<string, string> }>`
      select m.name, m.facts
        from pool_jobs j join pool_machines m on m.pool = j.pool
       where j.id = ${job}
         and m.name in (select a.machine from pool_runs r join pool_attempts a on a.run_id = r.id where r.job_id = j.id)`.execute(
      this.database.query,
    );
    return new Map(rows.map(({ name, facts }) => [name, facts]));
  }

  /** Runs that wait are cancelled at once; machines hear of it when they renew their leases. */
  async cancel(id: string): Promise<void> {
    await this.database.query.transaction().execute(async (trx) => {
      // Whoever ends a lease locks the job first, too.
      const job = await trx
        .selectFrom('pool_jobs')
        .select('id')
        .where('id', '=', id)
        .where('finished_at', 'is', null)
        .forUpdate()
        .executeTakeFirst();
      if (job === undefined) return;
      const { numUpdatedRows } = await trx
        .updateTable('pool_runs')
        .set({ state: 'cancelled', finished_at: sql`now()` })
        .where('job_id', '=', id)
        .where('state', '=', 'queued')
        .executeTakeFirst();
      await trx.updateTable('pool_jobs').set({ is_cancelled: true }).where('id', '=', id).execute();
      await endRuns(trx, id, Number(numUpdatedRows));
    });
  }

  async delete(id: string): Promise<boolean> {
    return this.database.query.transaction().execute(async (trx) => {
      const { numDeletedRows } = await trx
        .deleteFrom('pool_jobs')
        .where('id', '=', id)
        .executeTakeFirst();
      await notify(trx, finished(id));
      return numDeletedRows > 0n;
    });
  }

  /** Runs of a pool by state and verdict. */
  async counts(pool: string): Promise<RunCounts> {
    const { rows } = await sql<RunCounts>`
      select ${COUNTS} from pool_jobs j join pool_runs r on r.job_id = j.id
       where j.pool = ${pool}`.execute(this.database.query);
    return rows[0] as RunCounts;
  }

  /** Deletes jobs that ended too long ago, and the oldest where they or their runs are too many. Returns how many. */
  async forget(hours: number, jobsMax: number, runsMax: number, limit: number): Promise<number> {
    const { numAffectedRows = 0n } = await sql`
      delete from pool_jobs where id in (
        select id from (
          select id, seq, finished_at, row_number() over newest as place, sum(copies) over newest as runs
            from pool_jobs where finished_at is not null
          window newest as (order by seq desc)
        ) old
         where finished_at < now() - make_interval(secs => ${hours * 3600})
            or place > ${jobsMax} or runs > ${runsMax}
         order by seq limit ${limit})`.execute(this.database.query);
    return Number(numAffectedRows);
  }
}

/** So many runs of a job have ended; with the last of them so has the job. Its row is locked. */
export async function endRuns(trx: Kysely<Tables>, job: string, runs: number): Promise<void> {
  const row = await trx
    .updateTable('pool_jobs')
    .set({
      unfinished: sql`unfinished - ${runs}::int`,
      finished_at: sql`case when unfinished = ${runs}::int then now() end`,
    })
    .where('id', '=', job)
    .returning('finished_at')
    .executeTakeFirst();
  if (row?.finished_at != null) await notify(trx, finished(job));
}

/** An observation of a run has shown something: the worst counts. */
export async function observeRun(
  trx: Kysely<Tables>,
  run: string,
  shown: RunResult,
): Promise<void> {
  const order = [...RUN_RESULTS];
  await sql`
    update pool_runs set observed = ${shown}
     where id = ${run}
       and (observed is null or array_position(${order}::text[], ${shown}::text) < array_position(${order}::text[], observed))`.execute(
    trx,
  );
}

/** The worst of what observations of a run have shown comes before what its machine said. */
const COUNTS = sql.join(
  [
    ...(['queued', 'leased', 'cancelled'] as const).map(
      (state) => sql`count(*) filter (where r.state = ${sql.lit(state)})::int as ${sql.id(state)}`,
    ),
    ...RUN_RESULTS.map(
      (result) =>
        sql`count(*) filter (where r.state = 'finished' and coalesce(r.observed, r.result) = ${sql.lit(result)})::int as ${sql.id(result)}`,
    ),
  ],
  sql`, `,
);

function jobsOf(query: Kysely<Tables>) {
  return query
    .selectFrom('pool_jobs as j')
    .select([
      'j.id',
      'j.seq',
      'j.pool',
      'j.requires',
      'j.run',
      'j.copies',
      'j.timeout_seconds as timeoutSeconds',
      'j.priority',
      'j.is_cancelled as isCancelled',
      'j.created_at as createdAt',
      'j.finished_at as finishedAt',
    ])
    .select(
      sql<RunCounts>`(select to_jsonb(c) from (select ${COUNTS} from pool_runs r where r.job_id = j.id) c)`.as(
        'counts',
      ),
    );
}
