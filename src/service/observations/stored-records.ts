/**
 * The records of a stored text, read out of it again: all of them from its beginning, a page of them only out of the pieces
 * that they are in. What a reader has to know, it knows by the head of a text, where titles are, and by what comes just
 * before; where the records turn out not to be those that were read at first, the text is read again from its beginning.
 */
import { type ReadingOptions, RefusedText } from '../../observations/reading.js';
import type { PieceMeta, TextStore } from '../../store/text-store.js';
import { RecordCheck } from './record-check.js';
import { type Placed, Rereading } from './rereading.js';

/** A page is shorter than was asked for rather than that more pieces are read for it. */
const PAGE_PIECES_MAX = 16;

/** A record with its number in the whole text, from 1. */
export interface NumberedRecord extends Placed {
  readonly number: number;
}

export interface RecordPage {
  readonly records: readonly NumberedRecord[];
  readonly hasMore: boolean;
}

export interface ReadableRecords {
  /** All records, some at a time, and a loss where a line gives none that should have given one. */
  toExplain(): AsyncGenerator<readonly Placed[]>;
  /** At most `limit` records behind so many, at least one where there are any. */
  page(after: number, limit: number): Promise<RecordPage>;
}

export class StoredRecords implements ReadableRecords {
  constructor(
    private readonly store: TextStore,
    private readonly id: string,
    private readonly options: ReadingOptions,
  ) {}

  /** All records, some at a time. */
  async *all(): AsyncGenerator<readonly NumberedRecord[]> {
    let before = 0;
    for await (const records of this.read(false)) {
      yield numbered(records, before);
      before += records.length;
    }
  }

  toExplain(): AsyncGenerator<readonly Placed[]> {
    return this.read(true);
  }

  private async *read(withGaps: boolean): AsyncGenerator<readonly Placed[]> {
    const pieces = await this.store.count(this.id);
    const rereading = new Rereading(this.store, this.id, pieces, this.options, withGaps);
    for (let n = 0; n < pieces; n += 1) yield* rereading.read(n);
  }

  async page(after: number, limit: number): Promise<RecordPage> {
    const metas = await this.store.withRecordsAfter(this.id, after, PAGE_PIECES_MAX + 1);
    const needed = metas.filter(
      ({ firstRecord }, at) => at < PAGE_PIECES_MAX && firstRecord < after + limit,
    );
    const last = needed.at(-1);
    if (last === undefined) return { records: [], hasMore: false };
    const records = await this.ofPieces(needed, after, limit);
    if (records === undefined) return this.fromBeginning(after, limit);
    const isCut = after + records.length < last.firstRecord + last.records;
    return { records, hasMore: isCut || metas.length > needed.length };
  }

  /** Undefined where they are not those that were read at first. */
  private async ofPieces(
    metas: readonly PieceMeta[],
    after: number,
    limit: number,
  ): Promise<NumberedRecord[] | undefined> {
    try {
      return await this.readPieces(metas, after, limit);
    } catch (error) {
      // In parts of it, the reader may not see what makes it readable.
      if (error instanceof RefusedText) return undefined;
      throw error;
    }
  }

  private async readPieces(
    metas: readonly PieceMeta[],
    after: number,
    limit: number,
  ): Promise<NumberedRecord[] | undefined> {
    const pieces = await this.store.count(this.id);
    const rereading = new Rereading(this.store, this.id, pieces, this.options);
    const found: NumberedRecord[] = [];
    for (const { n, firstLine, firstRecord, records, check } of metas) {
      // The head of the text, and what comes just before.
      if (rereading.next === 0 && n > 0) await toEnd(rereading.read(0));
      if (rereading.next < n) await toEnd(rereading.read(n - 1));
      const sum = new RecordCheck();
      for await (const some of rereading.read(n, firstLine)) {
        for (const { record, line } of some) {
          sum.add(record, line);
          const number = firstRecord + sum.count;
          if (number > after && found.length < limit) found.push({ record, line, number });
        }
      }
      if (sum.count !== records || sum.sum !== check) return undefined;
    }
    return found;
  }

  private async fromBeginning(after: number, limit: number): Promise<RecordPage> {
    const records: NumberedRecord[] = [];
    for await (const some of this.all()) {
      records.push(...some.filter(({ number }) => number > after));
      if (records.length > limit) break;
    }
    return { records: records.slice(0, limit), hasMore: records.length > limit };
  }
}

async function toEnd(records: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of records);
}

function numbered(records: readonly Placed[], before: number): NumberedRecord[] {
  return records.map(({ record, line }, at) => ({ record, line, number: before + at + 1 }));
}
