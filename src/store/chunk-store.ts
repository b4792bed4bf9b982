/** The chunks of campaigns: walks still to be taken, and the results of those taken. */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.js';
import type { Tables } from './tables.js';
import { DEATHS, enteredBy, leftBy } from './work-store.js';

interface ChunkRow {
  readonly cell: number;
  readonly first_walk: number;
  readonly walks: number;
}

/** A chunk that a worker has claimed. */
interface TakenChunk extends ChunkRow {
  /** How many runs of the service claimed it before and died with it. */
  readonly deaths: number;
}

/** The progress of a campaign. */
interface ChunkCounts {
  readonly walksDone: number;
  readonly chunksLeft: number;
  readonly violatedCells: number;
  /** Walks per second over the last ten seconds. */
  readonly walksPerSecond: number;
}

export class ChunkStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Numbers the chunks from 0, in the transaction that creates the campaign. */
  async add(trx: Kysely<Tables>, campaign: string, chunks: readonly ChunkRow[]): Promise<void> {
    await sql`
      insert into campaign_chunks (campaign_id, n, cell, first_walk, walks)
      select ${campaign}, c.n - 1, c.cell, c.first_walk, c.walks
        from unnest(${chunks.map(({ cell }) => cell)}::integer[],
                    ${chunks.map(({ first_walk }) => first_walk)}::bigint[],
                    ${chunks.map(({ walks }) => walks)}::bigint[])
             with ordinality as c (cell, first_walk, walks, n)`.execute(trx);
  }

  /** Claims a chunk for a worker; undefined if it is done. */
  async start(campaign: string, n: number): Promise<TakenChunk | undefined> {
    return this.database.query
      .updateTable('campaign_chunks')
      .set({ lives: enteredBy(this.database.life) })
      .where('campaign_id', '=', campaign)
      .where('n', '=', n)
      .where('result', 'is', null)
      .returning(['cell', 'first_walk', 'walks', DEATHS])
      .executeTakeFirst();
  }

  /** Gives a chunk back when its worker stops. */
  async release(campaign: string, n: number): Promise<void> {
    await this.database.query
      .updateTable('campaign_chunks')
      .set({ lives: leftBy(this.database.life) })
      .where('campaign_id', '=', campaign)
      .where('n', '=', n)
      .where('result', 'is', null)
      .execute();
  }

  /** The numbers of the chunks that are not done. */
  async left(campaign: string): Promise<number[]> {
    const rows = await this.database.query
      .selectFrom('campaign_chunks')
      .select('n')
      .where('campaign_id', '=', campaign)
      .where('result', 'is', null)
      .orderBy('n')
      .execute();
    return rows.map(({ n }) => n);
  }

  /**
   * Stores the result of a chunk. If it was done twice, the first result stays; both are the same. The results of a campaign
   * do not change after it has ended. Returns whether it was stored.
   */
  async keep(campaign: string, n: number, result: object, violated: boolean): Promise<boolean> {
    const { numUpdatedRows } = await this.database.query
      .updateTable('campaign_chunks')
      .set({ result: JSON.stringify(result), violated, done_at: sql`now()` })
      .where('campaign_id', '=', campaign)
      .where('n', '=', n)
      .where('result', 'is', null)
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom('campaigns')
            .select('id')
            .where('id', '=', campaign)
            .where('finished_at', 'is', null),
        ),
      )
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  async counts(campaign: string): Promise<ChunkCounts> {
    const { rows } = await sql<ChunkCounts>`
      select coalesce(sum(walks) filter (where result is not null), 0)::bigint as "walksDone",
             count(*) filter (where result is null) as "chunksLeft",
             count(distinct cell) filter (where violated) as "violatedCells",
             coalesce(sum(walks) filter (where done_at > now() - interval '10 seconds'), 0)::bigint
               / least(10.0, greatest(1.0, extract(epoch from now() - min(done_at))))::float8
               as "walksPerSecond"
        from campaign_chunks where campaign_id = ${campaign}`.execute(this.database.query);
    return rows[0] ?? { walksDone: 0, chunksLeft: 0, violatedCells: 0, walksPerSecond: 0 };
  }

  /** The results so far, in no particular order. */
  async results(campaign: string): Promise<unknown[]> {
    const rows = await this.database.query
      .selectFrom('campaign_chunks')
      .select('result')
      .where('campaign_id', '=', campaign)
      .where('result', 'is not', null)
      .execute();
    return rows.map(({ result }) => result);
  }

  /** In the transaction that ends the campaign. */
  async keepViolations(trx: Kysely<Tables>, campaign: string, violations: object): Promise<void> {
    await trx
      .insertInto('campaign_violations')
      .values({ campaign_id: campaign, violations: JSON.stringify(violations) })
      .execute();
  }

  async violations(campaign: string): Promise<unknown> {
    const row = await this.database.query
      .selectFrom('campaign_violations')
      .select('violations')
      .where('campaign_id', '=', campaign)
      .executeTakeFirst();
    return row?.violations;
  }
}
