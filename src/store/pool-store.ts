/** Pools and their machines. */
import { sql } from 'kysely';
import type { Database } from './database.js';
import { notify } from './work-store.js';

export interface PoolRow {
  readonly name: string;
  readonly seq: number;
  readonly title: string | null;
  readonly leaseSeconds: number;
  readonly draining: boolean;
  readonly createdAt: Date;
}

export interface MachineRow {
  readonly pool: string;
  readonly name: string;
  readonly seq: number;
  readonly facts: Readonly<Record<string, string>>;
  readonly identity: object | null;
  readonly labels: readonly string[];
  readonly createdAt: Date;
  readonly seenAt: Date | null;
  /** The run that it holds a lease of, and until when. */
  readonly run: string | null;
  readonly expiresAt: Date | null;
}

interface NewPool {
  readonly name: string;
  readonly title: string | null;
  readonly leaseSeconds: number;
  readonly draining: boolean;
}

interface MachineSaid {
  readonly facts: object;
  readonly identity: object;
  readonly labels: readonly string[];
}

/** What became of a PUT: `there` where only a new one was wanted, `full` where there are too many. */
type Put = 'made' | 'changed' | 'there' | 'full' | 'no pool';

/** The notice that there may be something to lend in a pool. */
export function lendable(pool: string): string {
  return `pool:${pool}`;
}

export class PoolStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async put(pool: NewPool, onlyNew: boolean, poolsMax: number): Promise<Put> {
    const { name, title, leaseSeconds, draining } = pool;
    return this.database.query.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(hashtext('pebslab pools'))`.execute(trx);
      const changed = await trx
        .updateTable('pools')
        .set({ title, lease_seconds: leaseSeconds, draining })
        .where('name', '=', name)
        .$if(onlyNew, (query) => query.where(sql<boolean>`false`))
        .returning('name')
        .execute();
      if (changed.length > 0) {
        await notify(trx, lendable(name));
        return 'changed';
      }
      const { rows } = await sql<{ made: boolean; there: boolean }>`
        with made as (
          insert into pools (name, title, lease_seconds, draining)
          select ${name}, ${title}, ${leaseSeconds}::int, ${draining}::boolean
           where (select count(*) from pools) < ${poolsMax}
          on conflict do nothing returning name
        )
        select exists (select from made) as made,
               exists (select from pools where name = ${name}) as there`.execute(trx);
      if (rows[0]?.made) return 'made';
      return rows[0]?.there ? 'there' : 'full';
    });
  }

  async get(name: string): Promise<PoolRow | undefined> {
    return this.database.query
      .selectFrom('pools')
      .select(POOL_COLUMNS)
      .where('name', '=', name)
      .executeTakeFirst();
  }

  /** Whether there is a pool, and whether it has something to lend. */
  async work(name: string): Promise<{ readonly isThere: boolean; readonly hasQueued: boolean }> {
    const { rows } = await sql<{ isThere: boolean; hasQueued: boolean }>`
      select p.name is not null as "isThere",
             coalesce(not p.draining and exists (
               select from pool_runs r where r.pool = p.name and r.state = 'queued'), false) as "hasQueued"
        from (values (${name}::text)) asked (name) left join pools p on p.name = asked.name`.execute(
      this.database.query,
    );
    return rows[0] as (typeof rows)[number];
  }

  async list(after: number, limit: number): Promise<PoolRow[]> {
    return this.database.query
      .selectFrom('pools')
      .select(POOL_COLUMNS)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute();
  }

  /** Whether there was one; its machines and jobs go with it. */
  async delete(name: string): Promise<boolean> {
    return this.database.query.transaction().execute(async (trx) => {
      const { numDeletedRows } = await trx
        .deleteFrom('pools')
        .where('name', '=', name)
        .executeTakeFirst();
      // Those who wait are told that there is nothing to wait for.
      await notify(trx, lendable(name));
      return numDeletedRows > 0n;
    });
  }

  async putMachine(
    pool: string,
    name: string,
    { facts, identity, labels }: MachineSaid,
    onlyNew: boolean,
    machinesMax: number,
  ): Promise<Put> {
    return this.inPool(pool, async (trx) => {
      const said = {
        facts: JSON.stringify(facts),
        identity: JSON.stringify(identity),
        labels: [...labels],
      };
      const there = await trx
        .selectFrom('pool_machines')
        .select('name')
        .where('pool', '=', pool)
        .where('name', '=', name)
        .executeTakeFirst();
      if (there !== undefined && onlyNew) return 'there';
      // It may fit what waits now.
      await notify(trx, lendable(pool));
      if (there !== undefined) {
        await trx
          .updateTable('pool_machines')
          .set(said)
          .where('pool', '=', pool)
          .where('name', '=', name)
          .execute();
        return 'changed';
      }
      if ((await countMachines(trx, pool)) >= machinesMax) return 'full';
      await trx
        .insertInto('pool_machines')
        .values({ pool, name, ...said })
        .execute();
      return 'made';
    });
  }

  /** A machine asks for something: one that is not known yet is one of the pool from now on. */
  async seeMachine(
    pool: string,
    name: string,
    labels: readonly string[] | undefined,
    machinesMax: number,
  ): Promise<'seen' | 'full' | 'no pool'> {
    const { rows } = await sql`
      update pool_machines set seen_at = now(), labels = coalesce(${labels ?? null}::text[], labels)
       where pool = ${pool} and name = ${name} returning name`.execute(this.database.query);
    if (rows.length > 0) return 'seen';
    return this.inPool(pool, async (trx) => {
      if ((await countMachines(trx, pool)) >= machinesMax) return 'full';
      await sql`
        insert into pool_machines (pool, name, labels, seen_at)
        values (${pool}, ${name}, ${labels ?? []}::text[], now())
        on conflict (pool, name) do update set seen_at = now()`.execute(trx);
      return 'seen';
    });
  }

  async machine(pool: string, name: string): Promise<MachineRow | undefined> {
    return this.machinesOf(pool).where('m.name', '=', name).executeTakeFirst();
  }

  async machines(pool: string, after: number, limit: number): Promise<MachineRow[]> {
    return this.machinesOf(pool).where('m.seq', '>', after).orderBy('m.seq').limit(limit).execute();
  }

  async deleteMachine(pool: string, name: string): Promise<boolean> {
    const { numDeletedRows } = await this.database.query
      .deleteFrom('pool_machines')
      .where('pool', '=', pool)
      .where('name', '=', name)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }

  /** What the observations of each machine of a pool showed, and how often. */
  async shown(pool: string): Promise<ShownRow[]> {
    const { rows } = await sql<ShownRow>`
      select about ->> 'machine' as machine, answer ->> 'path' as path, answer ->> 'verdict' as verdict,
             count(*)::int as count
        from observations
       where about ->> 'pool' = ${pool} and about ->> 'machine' is not null and state = 'done'
       group by 1, 2, 3`.execute(this.database.query);
    return rows;
  }

  private machinesOf(pool: string) {
    return this.database.query
      .selectFrom('pool_machines as m')
      .leftJoin('pool_runs as r', (join) =>
        join
          .onRef('r.pool', '=', 'm.pool')
          .onRef('r.machine', '=', 'm.name')
          .on('r.state', '=', 'leased'),
      )
      .select([
        'm.pool',
        'm.name',
        'm.seq',
        'm.facts',
        'm.identity',
        'm.labels',
        'm.created_at as createdAt',
        'm.seen_at as seenAt',
        'r.id as run',
        'r.expires_at as expiresAt',
      ])
      .where('m.pool', '=', pool);
  }

  /** With the pool locked, so that those who count do so one after the other. */
  private inPool<Result>(
    pool: string,
    act: (trx: Database['query']) => Promise<Result>,
  ): Promise<Result | 'no pool'> {
    return this.database.query.transaction().execute(async (trx) => {
      const locked = await trx
        .selectFrom('pools')
        .select('name')
        .where('name', '=', pool)
        .forNoKeyUpdate()
        .executeTakeFirst();
      return locked === undefined ? 'no pool' : act(trx);
    });
  }
}

interface ShownRow {
  readonly machine: string;
  readonly path: string | null;
  readonly verdict: string | null;
  readonly count: number;
}

async function countMachines(trx: Database['query'], pool: string): Promise<number> {
  const { count } = await trx
    .selectFrom('pool_machines')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('pool', '=', pool)
    .executeTakeFirstOrThrow();
  return Number(count);
}

const POOL_COLUMNS = [
  'name',
  'seq',
  'title',
  'lease_seconds as leaseSeconds',
  'draining',
  'created_at as createdAt',
] as const;
