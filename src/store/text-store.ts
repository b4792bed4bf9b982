/** The pieces of the texts of real machines: each is compressed by itself, and can be read without those before it. */
import type { Database } from './database.js';

/** Where a piece stands in its text, and what was read in it. */
export interface PieceMeta {
  readonly n: number;
  /** The number of the line that it begins with, from 1. */
  readonly firstLine: number;
  /** How many records the pieces before it gave. */
  readonly firstRecord: number;
  readonly records: number;
  /** A sum over these records, by which they are known again. */
  readonly check: number;
}

export interface TextPiece extends PieceMeta {
  /** Deflated, and ended at a byte, so that the pieces put together are one deflated text but for its end. */
  readonly text: Uint8Array;
}

export class TextStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Fails where the observation has been deleted. */
  async keep(observation: string, piece: TextPiece): Promise<void> {
    const { n, text, records } = piece;
    await this.database.query
      .insertInto('observation_pieces')
      .values({
        observation_id: observation,
        n,
        first_line: piece.firstLine,
        first_record: piece.firstRecord,
        records,
        record_check: piece.check,
        text: Buffer.from(text.buffer, text.byteOffset, text.byteLength),
      })
      .execute();
  }

  /** The deflated text of a piece; undefined behind the last one. */
  async text(observation: string, n: number): Promise<Uint8Array | undefined> {
    const row = await this.database.query
      .selectFrom('observation_pieces')
      .select('text')
      .where('observation_id', '=', observation)
      .where('n', '=', n)
      .executeTakeFirst();
    return row?.text;
  }

  async count(observation: string): Promise<number> {
    const { count } = await this.database.query
      .selectFrom('observation_pieces')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('observation_id', '=', observation)
      .executeTakeFirstOrThrow();
    return count;
  }

  /** The pieces that have records behind so many, in order. */
  async withRecordsAfter(observation: string, record: number, limit: number): Promise<PieceMeta[]> {
    return this.database.query
      .selectFrom('observation_pieces')
      .select([
        'n',
        'first_line as firstLine',
        'first_record as firstRecord',
        'records',
        'record_check as check',
      ])
      .where('observation_id', '=', observation)
      .where('records', '>', 0)
      .where(({ eb }) => eb(eb('first_record', '+', eb.ref('records')), '>', record))
      .orderBy('n')
      .limit(limit)
      .execute();
  }
}
