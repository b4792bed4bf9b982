/**
 * Explorations and campaigns in PostgreSQL. The row is the truth: the queue only says which row is to be worked on, and
 * whoever works on it writes here what came of it.
 */
import { type Kysely, sql } from 'kysely';
import { type Cancel, cancelWork } from './cancel-work.js';
import type { Database } from './database.js';
import { type EventInput, insertEvents } from './event-store.js';
import { GroupCommit } from './group-commit.js';
import { insertAnswer, type StoredAnswer } from './idempotency-store.js';
import type { Lane, Tables, WorkState } from './tables.js';

export type WorkTableName = 'explorations' | 'campaigns';

export interface WorkRow {
  readonly id: string;
  readonly seq: number;
  readonly state: WorkState;
  readonly request: unknown;
  /** What clients read, as far as it has come; the other columns go before. */
  readonly resource: object;
  readonly cancelRequested: boolean;
  readonly lane: Lane;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

interface NewWork {
  readonly id: string;
  /** The name of the token that asks for it; empty where the service has none. */
  readonly owner: string;
  readonly lane: Lane;
  readonly request: object;
  readonly resource: object;
  readonly answer: StoredAnswer | undefined;
}

/** How much of it may wait or run. */
export interface WorkLimits {
  readonly all: number;
  /** Of one owner. */
  readonly own: number;
}

/** What came of adding work: where it was added, how much of its owner's waits or runs, itself included. */
type Added = { readonly own: number } | { readonly full: keyof WorkLimits };

/** Work that is taken up. */
interface TakenWork extends WorkRow {
  /** How many runs of the service took it up before and ended without giving it back. */
  readonly deaths: number;
}

/** Work that so many runs of the service did not survive is not tried again. */
export const DEATHS_MAX = 3;

/** The notices about a piece of work, heard by every instance. */
export function finished(id: string): string {
  return `finished:${id}`;
}

export function cancelled(id: string): string {
  return `cancelled:${id}`;
}

const COLUMNS = [
  'id',
  'seq',
  'state',
  'request',
  'resource',
  'cancel_requested as cancelRequested',
  'attempts',
  'lane',
  'created_at as createdAt',
  'finished_at as finishedAt',
] as const;

export class WorkStore {
  private readonly database: Database;
  private readonly table: WorkTableName;
  private readonly cancels: GroupCommit<Cancel, undefined>;
  private lastAdded: Promise<unknown> = Promise.resolve();

  constructor(database: Database, table: WorkTableName) {
    this.database = database;
    this.table = table;
    this.cancels = new GroupCommit(async (cancels) => {
      await cancelWork(database, table, cancels);
      return cancels.map(() => undefined);
    }, 1);
  }

  /** Adds it, unless too much waits or runs already; `more` writes in the same transaction. */
  add(
    work: NewWork,
    limits: WorkLimits,
    more: (trx: Kysely<Tables>) => Promise<void> = async () => {},
  ): Promise<Added> {
    // One at a time: those who wait for the lock below would take all connections.
    const added = this.lastAdded.then(() => this.addAlone(work, limits, more));
    this.lastAdded = added.catch(() => {});
    return added;
  }

  private async addAlone(
    work: NewWork,
    limits: WorkLimits,
    more: (trx: Kysely<Tables>) => Promise<void>,
  ): Promise<Added> {
    const { id, owner, lane, request, resource } = work;
    const table = sql.table(this.table);
    return this.database.query.transaction().execute(async (trx) => {
      // A statement does not see what others are about to commit, so what is counted is counted by one at a time.
      await sql`select pg_advisory_xact_lock(hashtext(${`pebslab ${this.table}`}))`.execute(trx);
      const { rows } = await sql<{ all: number; own: number; added: boolean }>`
        with unfinished as (
          select count(*) as "all", count(*) filter (where owner = ${owner}) as own
            from ${table} where finished_at is null
        ), added as (
          insert into ${table} (id, state, owner, lane, request, resource)
          select ${id}, 'queued', ${owner}, ${lane}, ${JSON.stringify(request)}::jsonb, ${JSON.stringify(resource)}::jsonb
            from unfinished where "all" < ${limits.all} and own < ${limits.own}
          returning id
        )
        select "all", own, exists (select from added) as added from unfinished`.execute(trx);
      const { all, own, added } = rows[0] as (typeof rows)[number];
      if (!added) return { full: all < limits.all ? 'own' : 'all' };
      await insertAnswer(trx, work.answer);
      await more(trx);
      return { own: own + 1 };
    });
  }

  async get(id: string): Promise<WorkRow | undefined> {
    return this.database.query
      .selectFrom(this.table)
      .select(COLUMNS)
      .where('id', '=', id)
      .executeTakeFirst();
  }

  async list(after: number, limit: number): Promise<WorkRow[]> {
    return this.database.query
      .selectFrom(this.table)
      .select(COLUMNS)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute();
  }

  /** A worker takes it up; undefined where there is nothing to do any more. */
  async start(id: string): Promise<TakenWork | undefined> {
    const { life } = this.database;
    return this.database.query
      .updateTable(this.table)
      .set(({ eb }) => ({
        state: 'running',
        attempts: eb('attempts', '+', 1),
        lives: enteredBy(life),
      }))
      .where('id', '=', id)
      .where('finished_at', 'is', null)
      .returning([...COLUMNS, DEATHS])
      .executeTakeFirst();
  }

  /** A worker that stops gives its work back. */
  async release(id: string): Promise<void> {
    const { life } = this.database;
    await this.database.query
      .updateTable(this.table)
      .set({
        // Where this worker was thought dead, another one has it by now.
        state: sql`case when lives[cardinality(lives)] = ${life} then 'queued' else state end`,
        lives: leftBy(life),
      })
      .where('id', '=', id)
      .where('finished_at', 'is', null)
      .execute();
  }

  /** What turns out to be no small work goes to the other lane, as if it had not been taken up. */
  async enlarge(id: string): Promise<void> {
    await this.database.query
      .updateTable(this.table)
      .set(({ eb }) => ({
        state: 'queued',
        lane: 'work',
        attempts: eb('attempts', '-', 1),
        lives: leftBy(this.database.life),
      }))
      .where('id', '=', id)
      .where('finished_at', 'is', null)
      .execute();
  }

  /** Says that it is under way, of work that is carried out piece by piece. */
  async begin(id: string): Promise<void> {
    await this.database.query
      .updateTable(this.table)
      .set({ state: 'running' })
      .where('id', '=', id)
      .where('state', '=', 'queued')
      .execute();
  }

  /** Adds to what clients read, unless the work has ended. */
  async progress(id: string, found: object, events: readonly EventInput[]): Promise<void> {
    await this.database.query.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await this.patch(trx, id, found).executeTakeFirst();
      if (numUpdatedRows > 0n) await insertEvents(trx, events);
    });
  }

  /** The end, unless it has ended already. */
  async finish(
    id: string,
    state: WorkState,
    found: object,
    events: readonly EventInput[],
    more: (trx: Kysely<Tables>) => Promise<void> = async () => {},
  ): Promise<void> {
    await this.database.query.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await this.patch(trx, id, found)
        .set({ state, finished_at: sql`now()` })
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return;
      await insertEvents(trx, events);
      await more(trx);
      await notify(trx, finished(id));
    });
  }

  /** Asks for the end: what waits ends here and now, what runs is told, wherever that is. */
  async requestCancel(id: string, event: EventInput): Promise<void> {
    await this.cancels.add({ id, event });
  }

  /** What waits or runs, in the order in which it was asked for. */
  async unfinished(): Promise<WaitingWork[]> {
    const { rows } = await sql<WaitingWork>`
      select id, lane, row_number() over (partition by owner order by seq) as own
        from ${sql.table(this.table)} where finished_at is null order by seq`.execute(
      this.database.query,
    );
    return rows;
  }

  /** One of them. */
  async waiting(id: string): Promise<WaitingWork | undefined> {
    return (await this.unfinished()).find((work) => work.id === id);
  }

  /** Deletes what ended long ago, and the oldest beyond what is kept, so many at most. Returns how many. */
  async forget(hours: number, keptMax: number, limit: number): Promise<number> {
    const table = sql.table(this.table);
    const { numAffectedRows = 0n } = await sql`
      delete from ${table} where id in (
        select id from ${table}
         where finished_at is not null
           and (finished_at < now() - make_interval(secs => ${hours * 3600})
                or seq <= (select seq from ${table} order by seq desc offset ${keptMax} limit 1))
         order by seq limit ${limit})`.execute(this.database.query);
    return Number(numAffectedRows);
  }

  private patch(trx: Kysely<Tables>, id: string, found: object) {
    return trx
      .updateTable(this.table)
      .set({ resource: sql`resource || ${JSON.stringify(found)}::jsonb` })
      .where('id', '=', id)
      .where('finished_at', 'is', null);
  }
}

/** What is needed to put it into the queue. */
export interface WaitingWork {
  readonly id: string;
  readonly lane: Lane;
  /** How much of its owner's came before it, with itself. */
  readonly own: number;
}

/** The lives of what this run of the service takes up, or gives back. */
export function enteredBy(life: string) {
  return sql<string[]>`array_append(array_remove(lives, ${life}), ${life})`;
}

export function leftBy(life: string) {
  return sql<string[]>`array_remove(lives, ${life})`;
}

/** Of what was just taken up. */
export const DEATHS = sql<number>`cardinality(lives) - 1`.as('deaths');

async function notify(trx: Kysely<Tables>, notice: string): Promise<void> {
  await sql`select pg_notify('pebslab', ${notice})`.execute(trx);
}
