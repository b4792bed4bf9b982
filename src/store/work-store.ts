/**
 * Explorations, campaigns and explanations in PostgreSQL. The row is authoritative: the queue only names the row to work on, and the worker
 * stores the result here.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.js';
import { type EventInput, insertEvents } from './event-store.js';
import { GroupCommit } from './group-commit.js';
import { insertAnswer, type StoredAnswer } from './idempotency-store.js';
import { type Stop, stopWork } from './stop-work.js';
import type { Lane, Tables, WorkState } from './tables.js';

export type WorkTableName = 'explorations' | 'campaigns' | 'explanations';

export interface WorkRow {
  readonly id: string;
  readonly seq: number;
  readonly state: WorkState;
  readonly request: unknown;
  /** What clients read, updated as the work progresses; the other columns take precedence. */
  readonly resource: object;
  readonly cancelRequested: boolean;
  readonly pauseRequested: boolean;
  readonly lane: Lane;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

interface NewWork {
  readonly id: string;
  /** The name of the token that requested it; empty if the service has no tokens. */
  readonly owner: string;
  readonly lane: Lane;
  readonly request: object;
  readonly resource: object;
  readonly answer: StoredAnswer | undefined;
}

/** Limits on unfinished work. */
export interface WorkLimits {
  readonly all: number;
  /** Per owner. */
  readonly own: number;
}

/** Either the number of the owner's unfinished pieces of work, the new one included, or the limit that was reached. */
type Added = { readonly own: number } | { readonly full: keyof WorkLimits };

/** Work that a worker has claimed. */
interface TakenWork extends WorkRow {
  /** How many runs of the service claimed it before and died with it. */
  readonly deaths: number;
}

/** Work is not retried after this many runs of the service have died with it. */
export const DEATHS_MAX = 3;

/** The names of the notices about a piece of work; every instance receives them. It is finished, or paused. */
export function finished(id: string): string {
  return `finished:${id}`;
}

/** It is to end, or to pause. */
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
  'pause_requested as pauseRequested',
  'attempts',
  'lane',
  'created_at as createdAt',
  'finished_at as finishedAt',
] as const;

export type OnEnded = (state: WorkState, verdict: string | undefined) => void;

export class WorkStore {
  private readonly database: Database;
  private readonly table: WorkTableName;
  private readonly cancels: GroupCommit<Stop, boolean>;
  private readonly pauses: GroupCommit<Stop, boolean>;
  private readonly onEnded: OnEnded;
  private lastAdded: Promise<unknown> = Promise.resolve();

  /** `onEnded` is told of what this store ends. */
  constructor(database: Database, table: WorkTableName, onEnded: OnEnded = () => {}) {
    this.database = database;
    this.table = table;
    this.onEnded = onEnded;
    this.cancels = new GroupCommit((stops) => stopWork(database, table, 'cancel', stops), 1);
    this.pauses = new GroupCommit((stops) => stopWork(database, table, 'pause', stops), 1);
  }

  /** Adds it, unless a limit is reached; `more` writes in the same transaction. */
  add(
    work: NewWork,
    limits: WorkLimits,
    more: (trx: Kysely<Tables>) => Promise<void> = async () => {},
  ): Promise<Added> {
    // One at a time: waiting for the lock below, many would take all connections.
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
      // A statement does not see what others are about to commit, so counting takes a lock.
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

  /** Those that follow a number and are wanted. There are too few for more indexes than that of `seq`. */
  async list(
    after: number,
    limit: number,
    isNewestFirst: boolean,
    wanted: WantedWork,
  ): Promise<WorkRow[]> {
    const { state, verdict, scenario, name, kernels, observation } = wanted;
    const shown = this.table === 'explanations' ? WITHOUT_SCHEDULES : sql<object>`resource`;
    const verdictOf =
      this.table === 'campaigns' ? CAMPAIGN_VERDICT : sql<string>`resource ->> 'verdict'`;
    return this.database.query
      .selectFrom(this.table)
      .select(COLUMNS)
      .select(shown.as('resource'))
      .where('seq', isNewestFirst ? '<' : '>', after)
      .$if(state !== undefined, (query) => query.where('state', '=', state as WorkState))
      .$if(verdict !== undefined, (query) => query.where(verdictOf, '=', verdict as string))
      .$if(scenario !== undefined, (query) =>
        query.where(sql`resource ->> 'scenario'`, '=', scenario),
      )
      .$if(name !== undefined, (query) => query.where(sql`resource ->> 'name'`, '=', name))
      .$if(observation !== undefined, (query) => query.where(sql`observation`, '=', observation))
      .$if(kernels !== undefined, (query) => query.where(hasKernel(kernels ?? [])))
      .orderBy('seq', isNewestFirst ? 'desc' : 'asc')
      .limit(limit)
      .execute();
  }

  /** Claims it for a worker; undefined if it has ended. */
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
      .where('state', '!=', 'paused')
      .where('finished_at', 'is', null)
      .returning([...COLUMNS, DEATHS])
      .executeTakeFirst();
  }

  /** Gives it back when its worker stops. */
  async release(id: string): Promise<void> {
    const { life } = this.database;
    await this.database.query
      .updateTable(this.table)
      .set({
        // If this worker was presumed dead, another one has it by now.
        state: sql`case when lives[cardinality(lives)] = ${life} then 'queued' else state end`,
        lives: leftBy(life),
      })
      .where('id', '=', id)
      .where('finished_at', 'is', null)
      .execute();
  }

  /** Moves it to the other lane if it turns out not to be small, as if it had not been claimed. */
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

  /** Marks it as running, for work that is done in pieces. */
  async begin(id: string): Promise<void> {
    await this.database.query
      .updateTable(this.table)
      .set({ state: 'running' })
      .where('id', '=', id)
      .where('state', '=', 'queued')
      .execute();
  }

  /** Updates what clients read, unless the work has ended. */
  async progress(id: string, found: object, events: readonly EventInput[]): Promise<void> {
    await this.database.query.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await this.patch(trx, id, found).executeTakeFirst();
      if (numUpdatedRows > 0n) await insertEvents(trx, events);
    });
  }

  /** Ends it; false if it has ended already. */
  async finish(
    id: string,
    state: WorkState,
    found: object,
    events: readonly EventInput[],
    more: (trx: Kysely<Tables>) => Promise<void> = async () => {},
  ): Promise<boolean> {
    const hasEnded = await this.database.query.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await this.patch(trx, id, found)
        .set({ state, finished_at: sql`now()` })
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      await insertEvents(trx, events);
      await more(trx);
      await notify(trx, finished(id));
      return true;
    });
    if (hasEnded) this.onEnded(state, (found as { verdict?: string }).verdict);
    return hasEnded;
  }

  /** Cancels it: queued work ends immediately, running work is notified on whichever instance runs it. */
  async requestCancel(id: string, event: EventInput): Promise<void> {
    if (await this.cancels.add({ id, event })) this.onEnded('cancelled', undefined);
  }

  /** Queued work pauses immediately, running work when the instance that runs it has heard of it. */
  async requestPause(id: string, event: EventInput): Promise<void> {
    await this.pauses.add({ id, event });
  }

  /** Its worker has stopped it, so it pauses, unless it is to go on by now. Returns the state it is in. */
  async pause(id: string, found: object, event: EventInput): Promise<WorkState | undefined> {
    return this.database.query.transaction().execute(async (trx) => {
      const row = await this.patch(trx, id, found)
        .set({
          state: sql<WorkState>`case when pause_requested then 'paused' else 'queued' end`,
          pause_requested: false,
          // It has lived, so earlier deaths were no fault of the work.
          lives: sql<string[]>`'{}'::text[]`,
        })
        .returning('state')
        .executeTakeFirst();
      if (row?.state === 'paused') {
        await insertEvents(trx, [event]);
        await notify(trx, finished(id));
      }
      return row?.state;
    });
  }

  /** Paused work waits again, and what is about to pause does not. */
  async resume(id: string): Promise<void> {
    await this.database.query
      .updateTable(this.table)
      .set({
        state: sql<WorkState>`case state when 'paused' then 'queued' else state end`,
        pause_requested: false,
      })
      .where('id', '=', id)
      .where('finished_at', 'is', null)
      .execute();
  }

  /** The work that waits or is under way, in the order of the requests. */
  async unfinished(): Promise<WaitingWork[]> {
    const { rows } = await sql<WaitingWork>`
      select id, lane, row_number() over (partition by owner order by seq) as own
        from ${sql.table(this.table)} where finished_at is null and state <> 'paused' order by seq`.execute(
      this.database.query,
    );
    return rows;
  }

  /** One of `unfinished`. */
  async waiting(id: string): Promise<WaitingWork | undefined> {
    return (await this.unfinished()).find((work) => work.id === id);
  }

  /** Which of some ids are those of work that has not ended. */
  async unfinishedOf(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return [];
    const rows = await this.database.query
      .selectFrom(this.table)
      .select('id')
      .where('id', 'in', ids)
      .where('finished_at', 'is', null)
      .execute();
    return rows.map(({ id }) => id);
  }

  /** Returns whether there was any; what belongs to it goes with it. */
  async delete(id: string, event: EventInput): Promise<boolean> {
    return this.database.query.transaction().execute(async (trx) => {
      const { numDeletedRows } = await trx
        .deleteFrom(this.table)
        .where('id', '=', id)
        .executeTakeFirst();
      if (numDeletedRows === 0n) return false;
      await insertEvents(trx, [event]);
      await notify(trx, finished(id));
      return true;
    });
  }

  /** Deletes work that ended too long ago or is too old to keep, at most `limit` rows. Returns how many. */
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

/** What a list is to have; absent is everything. */
interface WantedWork {
  readonly state: string | undefined;
  readonly verdict: string | undefined;
  readonly scenario: string | undefined;
  readonly name: string | undefined;
  readonly kernels: readonly string[] | undefined;
  /** Only explanations are of one. */
  readonly observation: string | undefined;
}

/** While one runs, its chunks know. */
const CAMPAIGN_VERDICT = sql<string>`
  case when finished_at is null
        and exists (select from campaign_chunks c where c.campaign_id = campaigns.id and c.violated)
       then 'violated' else resource ->> 'verdict' end`;

/** Of an explanation, which may have megabytes of schedules for every kernel. */
const WITHOUT_SCHEDULES = sql<object>`
  jsonb_set(resource, '{kernels}', coalesce(
    (select jsonb_agg(kernel - '{host,script,story}'::text[] order by n)
       from jsonb_array_elements(resource -> 'kernels') with ordinality k (kernel, n)), '[]'))`;

/** Explorations have one kernel, or two to compare; campaigns and explanations have several. */
function hasKernel(names: readonly string[]) {
  return sql<boolean>`(
    resource #>> '{model,kernel}' = any (${names}::text[])
    or resource ->> 'compare_with' = any (${names}::text[])
    or resource #> '{matrix,kernels}' ?| ${names}::text[]
    or request -> 'kernels' ?| ${names}::text[])`;
}

/** What the queue needs to know of it. */
export interface WaitingWork {
  readonly id: string;
  readonly lane: Lane;
  /** Its position among its owner's unfinished work, from 1. */
  readonly own: number;
}

/** The column `lives` after this run of the service has claimed the row, or given it back. */
export function enteredBy(life: string) {
  return sql<string[]>`array_append(array_remove(lives, ${life}), ${life})`;
}

export function leftBy(life: string) {
  return sql<string[]>`array_remove(lives, ${life})`;
}

/** Right after a claim. */
export const DEATHS = sql<number>`cardinality(lives) - 1`.as('deaths');

/** Tells every instance, once the transaction is over. */
export async function notify(trx: Kysely<Tables>, notice: string): Promise<void> {
  await sql`select pg_notify('pebslab', ${notice})`.execute(trx);
}
