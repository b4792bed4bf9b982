/** Runs as PULL_LABS has them: nodes that are listed as they become available, and claimed one by one. */
import { sql } from 'kysely';
import type { Database } from './database.js';
import { isMachineBusy } from './database-errors.js';
import type { RunResult, RunState } from './vocabulary.js';

export interface NodeRow {
  readonly id: string;
  readonly pool: string;
  readonly jobId: string;
  readonly n: number;
  readonly state: RunState;
  readonly fence: number;
  readonly machine: string | null;
  readonly result: RunResult | null;
  readonly observed: RunResult | null;
  readonly errorCode: string | null;
  readonly requires: object;
  readonly run: object;
  readonly timeoutSeconds: number;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  /** When it became available, in UTC and microseconds, and the same as a number. */
  readonly availableAt: string;
  readonly sequence: number;
}

/** A run that was committed late must not appear before one that has been listed. */
const SETTLED = `interval '1 second'`;

export class NodeStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Those that have become available after a time, in their order; no two have the same. */
  async available(
    pools: readonly string[] | undefined,
    after: string,
    limit: number,
  ): Promise<NodeRow[]> {
    const { rows } = await sql<NodeRow>`
      ${NODES}
       where r.state = 'queued' and not p.draining
         and r.queued_at > ${after}::timestamp at time zone 'UTC'
         and r.queued_at < now() - ${sql.raw(SETTLED)}
         ${pools === undefined ? sql`` : sql`and r.pool = any (${[...pools]}::text[])`}
       order by r.queued_at, r.id limit ${limit}`.execute(this.database.query);
    return rows;
  }

  async get(run: string): Promise<NodeRow | undefined> {
    const { rows } = await sql<NodeRow>`${NODES} where r.id = ${run}`.execute(this.database.query);
    return rows[0];
  }

  /** Claims one that is available, for as long as its job allows; false where another has it, or nothing is lent. */
  async claim(run: string, holder: string): Promise<boolean> {
    try {
      const { rows } = await this.claiming(run, holder).execute(this.database.query);
      return rows.length > 0;
    } catch (error) {
      // A machine has this name, and holds a lease.
      if (isMachineBusy(error)) return false;
      throw error;
    }
  }

  private claiming(run: string, holder: string) {
    return sql`
      with claimed as (
        update pool_runs r
           set state = 'leased', fence = fence + 1, machine = ${holder}, acquired_at = now(), renewed_at = null,
               expires_at = now() + make_interval(secs => j.timeout_seconds)
          from pool_jobs j, pools p
         where r.id = ${run} and j.id = r.job_id and r.state = 'queued' and p.name = r.pool and not p.draining
        returning r.id, r.fence
      ), attempted as (
        insert into pool_attempts (run_id, fence, machine) select id, fence, ${holder} from claimed
      )
      select from claimed`;
  }
}

const NODES = sql`
  select r.id, r.pool, r.job_id as "jobId", r.n, r.state, r.fence, r.machine, r.result, r.observed,
         r.error_code as "errorCode", j.requires, j.run, j.timeout_seconds as "timeoutSeconds",
         j.created_at as "createdAt", r.expires_at as "expiresAt",
         to_char(r.queued_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') as "availableAt",
         (extract(epoch from r.queued_at) * 1000000)::bigint as sequence
    from pool_runs r join pool_jobs j on j.id = r.job_id join pools p on p.name = r.pool`;
