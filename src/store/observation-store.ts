/** The texts of real machines and what was read in them. An instance reads a text while it arrives, and stores it in pieces. */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.js';
import { type EventInput, insertEvents } from './event-store.js';
import { insertAnswer, type StoredAnswer } from './idempotency-store.js';
import type { ObservationState, Tables } from './tables.js';
import { finished, notify } from './work-store.js';

export interface ObservationRow {
  readonly id: string;
  readonly seq: number;
  readonly state: ObservationState;
  readonly about: unknown;
  readonly answer: object | null;
  readonly error: string | null;
  readonly textBytes: number;
  readonly storedBytes: number;
  readonly crc: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** What is known once all of a text has been read. */
interface Read {
  readonly answer: object;
  readonly textBytes: number;
  readonly storedBytes: number;
  readonly crc: number;
}

/** The answer to its request, to be stored with it where the request has a key. */
type AnswerOf = (row: ObservationRow) => StoredAnswer | undefined;

/** What a list is to have; absent is everything. */
interface WantedObservations {
  readonly machine?: string | undefined;
  readonly pool?: string | undefined;
  readonly verdict?: string | undefined;
  readonly format?: string | undefined;
}

export class ObservationStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Before its first piece. */
  async begin(id: string, about: object): Promise<void> {
    await this.database.query
      .insertInto('observations')
      .values({
        id,
        state: 'arriving',
        about: JSON.stringify(about),
      })
      .execute();
  }

  /** Its request is answered before it is read to the end: from now on it is there for everybody. */
  async accept(id: string, answerOf: AnswerOf): Promise<void> {
    await this.database.query.transaction().execute(async (trx) => {
      const row = await trx
        .updateTable('observations')
        .set({ state: 'reading' })
        .where('id', '=', id)
        .returning(OBSERVATION_COLUMNS)
        .executeTakeFirstOrThrow();
      await insertAnswer(trx, answerOf(row));
    });
  }

  /** False where it has been deleted meanwhile. `settle`: what follows for its run. */
  async finish(
    id: string,
    { answer, textBytes, storedBytes, crc }: Read,
    event: EventInput,
    answerOf: AnswerOf,
    settle?: (trx: Kysely<Tables>) => Promise<void>,
  ): Promise<boolean> {
    return this.database.query.transaction().execute(async (trx) => {
      const row = await trx
        .updateTable('observations')
        .set({
          state: 'done',
          answer: JSON.stringify(answer),
          text_bytes: textBytes,
          stored_bytes: storedBytes,
          crc,
          finished_at: sql`now()`,
          ended_xid: sql`pg_current_xact_id()`,
        })
        .where('id', '=', id)
        .returning(OBSERVATION_COLUMNS)
        .executeTakeFirst();
      if (row === undefined) return false;
      await settle?.(trx);
      await insertAnswer(trx, answerOf(row));
      await insertEvents(trx, [event]);
      await notify(trx, finished(id));
      return true;
    });
  }

  /** Of a text without an end there is nothing to read again. */
  async fail(id: string, reason: string, event: EventInput): Promise<void> {
    await this.database.query.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('observations')
        .set({ state: 'failed', error: reason, finished_at: sql`now()` })
        .where('id', '=', id)
        .where('finished_at', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return;
      await trx.deleteFrom('observation_pieces').where('observation_id', '=', id).execute();
      await insertEvents(trx, [event]);
      await notify(trx, finished(id));
    });
  }

  /** Nobody has heard of it. */
  async drop(id: string): Promise<void> {
    await this.database.query.deleteFrom('observations').where('id', '=', id).execute();
  }

  async get(id: string): Promise<ObservationRow | undefined> {
    return this.database.query
      .selectFrom('observations')
      .select(OBSERVATION_COLUMNS)
      .where('id', '=', id)
      .where('state', '!=', 'arriving')
      .executeTakeFirst();
  }

  /** Those before a number, the newest first. There are too few for more indexes than that of `seq`. */
  async list(
    before: number,
    limit: number,
    { machine, pool, verdict, format }: WantedObservations,
  ): Promise<ObservationRow[]> {
    return this.database.query
      .selectFrom('observations')
      .select(OBSERVATION_COLUMNS)
      .where('seq', '<', before)
      .where('state', '!=', 'arriving')
      .$if(machine !== undefined, (query) => query.where(sql`about ->> 'machine'`, '=', machine))
      .$if(pool !== undefined, (query) => query.where(sql`about ->> 'pool'`, '=', pool))
      .$if(verdict !== undefined, (query) => query.where(sql`answer ->> 'verdict'`, '=', verdict))
      .$if(format !== undefined, (query) =>
        query.where(sql`coalesce(answer ->> 'format', about ->> 'format')`, '=', format),
      )
      .orderBy('seq', 'desc')
      .limit(limit)
      .execute();
  }

  /** Whether there was one; its pieces and explanations go with it. `eventOf` tells that an explanation went. */
  async delete(
    id: string,
    event: EventInput,
    eventOf: (explanation: string) => EventInput,
  ): Promise<boolean> {
    return this.database.query.transaction().execute(async (trx) => {
      // Nobody asks for another explanation meanwhile.
      await trx.selectFrom('observations').select('id').where('id', '=', id).forUpdate().execute();
      const explanations = await trx
        .deleteFrom('explanations')
        .where(sql`observation`, '=', id)
        .returning('id')
        .execute();
      const { numDeletedRows } = await trx
        .deleteFrom('observations')
        .where('id', '=', id)
        .where('state', '!=', 'arriving')
        .executeTakeFirst();
      if (numDeletedRows === 0n) return false;
      await insertEvents(trx, [...explanations.map((gone) => eventOf(gone.id)), event]);
      for (const gone of [...explanations, { id }]) await notify(trx, finished(gone.id));
      return true;
    });
  }

  /** Says that these are being read. */
  async beat(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.database.query
      .updateTable('observations')
      .set({ seen_at: sql`now()` })
      .where('id', 'in', ids)
      .where('finished_at', 'is', null)
      .execute();
  }

  /** Those that have not been said to be read for so long: whoever read them is dead. */
  async orphans(seconds: number): Promise<ObservationRow[]> {
    return this.database.query
      .selectFrom('observations')
      .select(OBSERVATION_COLUMNS)
      .where('finished_at', 'is', null)
      .where(sql<boolean>`seen_at <= now() - make_interval(secs => ${seconds})`)
      .execute();
  }

  /**
   * Deletes those that are too old, and the oldest where they are too many or take too much room, with their explanations.
   * Returns how many.
   */
  async forget(hours: number, keptMax: number, bytesMax: number, limit: number): Promise<number> {
    const { query } = this.database;
    const { rows } = await sql<{ count: number; explanations: string[] }>`
      with old as (
        select id from (
          select id, seq, finished_at,
                 row_number() over newest as place, sum(stored_bytes) over newest as bytes
            from observations where finished_at is not null
          window newest as (order by seq desc)
        ) o
         where finished_at < now() - make_interval(secs => ${hours * 3600})
            or place > ${keptMax} or bytes > ${bytesMax}
         order by seq limit ${limit}
      ), ended as (
        delete from explanations where observation in (select id from old) returning id
      ), gone as (
        delete from observations where id in (select id from old) returning id
      )
      select (select count(*)::int from gone), array (select id from ended) as explanations`.execute(
      query,
    );
    const { count, explanations } = rows[0] as (typeof rows)[number];
    for (const id of explanations) await notify(query, finished(id));
    return count;
  }
}

/** All but the order in which they ended. */
export const OBSERVATION_COLUMNS = [
  'id',
  'seq',
  'state',
  'about',
  'answer',
  'error',
  'text_bytes as textBytes',
  'stored_bytes as storedBytes',
  'crc',
  'created_at as createdAt',
  'finished_at as finishedAt',
] as const;
