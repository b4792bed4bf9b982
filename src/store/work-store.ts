/**
 * Explorations and campaigns in PostgreSQL. The row is the truth: the queue only says which row is to be worked on, and
 * whoever works on it writes here what came of it.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.js';
import { type EventInput, insertEvents } from './event-store.js';
import { insertAnswer, type StoredAnswer } from './idempotency-store.js';
import type { Tables, WorkState } from './tables.js';

export type WorkTableName = 'explorations' | 'campaigns';

export interface WorkRow {
  readonly id: string;
  readonly seq: number;
  readonly state: WorkState;
  readonly request: unknown;
  /** What clients read, as far as it has come; the other columns go before. */
  readonly resource: object;
  readonly cancelRequested: boolean;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

export interface NewWork {
  readonly id: string;
  readonly request: object;
  readonly resource: object;
  readonly answer: StoredAnswer | undefined;
}

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
  'created_at as createdAt',
  'finished_at as finishedAt',
] as const;

export class WorkStore {
  private readonly database: Database;
  private readonly table: WorkTableName;

  constructor(database: Database, table: WorkTableName) {
    this.database = database;
    this.table = table;
  }

  /** `more` writes in the same transaction. */
  async add(work: NewWork, more: (trx: Kysely<Tables>) => Promise<void> = async () => {}) {
    await this.database.query.transaction().execute(async (trx) => {
      await insertAnswer(trx, work.answer);
      await trx
        .insertInto(this.table)
        .values({
          id: work.id,
          state: 'queued',
          request: JSON.stringify(work.request),
          resource: JSON.stringify(work.resource),
        })
        .execute();
      await more(trx);
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
  async start(id: string): Promise<WorkRow | undefined> {
    return this.database.query
      .updateTable(this.table)
      .set(({ eb }) => ({ state: 'running', attempts: eb('attempts', '+', 1) }))
      .where('id', '=', id)
      .where('finished_at', 'is', null)
      .returning(COLUMNS)
      .executeTakeFirst();
  }

  /** A worker that stops gives its work back. */
  async release(id: string): Promise<void> {
    await this.database.query
      .updateTable(this.table)
      .set({ state: 'queued' })
      .where('id', '=', id)
      .where('finished_at', 'is', null)
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
    await this.database.query.transaction().execute(async (trx) => {
      const row = await trx
        .updateTable(this.table)
        .set({
          cancel_requested: true,
          state: sql`case state when 'queued' then 'cancelled' else state end`,
          finished_at: sql`case state when 'queued' then now() end`,
        })
        .where('id', '=', id)
        .where('finished_at', 'is', null)
        .returning('state')
        .executeTakeFirst();
      if (row === undefined) return;
      await notify(trx, cancelled(id));
      if (row.state !== 'cancelled') return;
      await insertEvents(trx, [event]);
      await notify(trx, finished(id));
    });
  }

  /** How many wait or run. */
  async countUnfinished(): Promise<number> {
    const { count } = await this.database.query
      .selectFrom(this.table)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('finished_at', 'is', null)
      .executeTakeFirstOrThrow();
    return count;
  }

  /** What waits or runs, in the order in which it was asked for. */
  async unfinished(): Promise<string[]> {
    const rows = await this.database.query
      .selectFrom(this.table)
      .select('id')
      .where('finished_at', 'is', null)
      .orderBy('seq')
      .execute();
    return rows.map(({ id }) => id);
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

async function notify(trx: Kysely<Tables>, notice: string): Promise<void> {
  await sql`select pg_notify('pebslab', ${notice})`.execute(trx);
}
