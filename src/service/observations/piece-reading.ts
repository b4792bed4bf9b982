/** Reads a text as it arrives, piece by piece, and packs the pieces to be stored. Runs in a thread (reading-worker.ts). */
import { crc32 } from 'node:zlib';
import type { Answer } from '../../observations/answer.js';
import { Reading, type ReadingOptions } from '../../observations/reading.js';
import { type KeptRecord, kept, type ObservedRecord } from '../../observations/record.js';
import { recordView } from '../../observations/record-view.js';
import type { TextPiece } from '../../store/text-store.js';
import { unpackedLog } from './packed-log.js';
import { RecordCheck } from './record-check.js';
import { Decoding, endOfLines, packed } from './text-pieces.js';

/** Lines longer than this are cut between pieces; no tool prints one, and readers reject what is far shorter. */
const LINE_BYTES_MAX = 4 * 2 ** 20;
const RECORDS_PREVIEWED = 1000;
/** What is decoded at once: it fits into the cache, and is no garbage for long. */
const PART_BYTES = 64 * 1024;

export interface PieceOptions extends ReadingOptions {
  /** Whether the pieces are to be stored; otherwise the first records are to be shown. */
  readonly keeps: boolean;
  /** Whether the records are held until the next text is begun. */
  readonly holds?: boolean;
}

/** What was read in the whole of a text. */
export interface ReadText {
  readonly answer: Answer;
  readonly last: TextPiece | undefined;
  readonly lines: number;
  readonly textBytes: number;
  readonly crc: number;
  readonly preview: readonly ReturnType<typeof recordView>[];
}

export class PieceReading {
  private readonly keeps: boolean;
  private readonly reading: Reading;
  private readonly decoding = new Decoding();
  private readonly preview: ReturnType<typeof recordView>[] = [];
  private readonly holding: KeptRecord[] | undefined;
  /** Of the piece that is being read. */
  private check = new RecordCheck();
  /** The beginning of a line that has not ended. */
  private rest: Buffer[] = [];
  private restBytes = 0;
  private pieces = 0;
  private records = 0;
  private textBytes = 0;
  private crc = 0;

  constructor({ keeps, holds, ...options }: PieceOptions) {
    this.keeps = keeps;
    this.holding = holds === true ? [] : undefined;
    const unpack = unpackedLog;
    this.reading = new Reading({ ...options, unpack }, { record: (record) => this.see(record) });
  }

  /** The records behind so many. */
  held(after: number, limit: number): KeptRecord[] {
    return this.holding?.slice(after, after + limit) ?? [];
  }

  /** Reads on, as far as lines have ended. The piece that this was, if it is to be stored. */
  async read(bytes: Buffer): Promise<TextPiece | undefined> {
    const end = endOfLines(bytes);
    if (end === 0 && this.restBytes + bytes.length <= LINE_BYTES_MAX) {
      this.putBy(bytes);
      return undefined;
    }
    const whole = end === 0 ? bytes : bytes.subarray(0, end);
    const piece = this.restBytes === 0 ? whole : Buffer.concat([...this.rest, whole]);
    this.rest = [];
    this.restBytes = 0;
    if (whole.length < bytes.length) this.putBy(bytes.subarray(end));
    return this.readPiece(piece, () => this.write(piece));
  }

  async end(): Promise<ReadText> {
    const piece = Buffer.concat(this.rest);
    let answer: Answer | undefined;
    const last = await this.readPiece(piece, () => {
      this.write(piece);
      this.reading.write(this.decoding.end());
      answer = this.reading.end();
    });
    const { reading, textBytes, crc, preview } = this;
    const lines = reading.lineCount;
    return { answer: answer as Answer, last, lines, textBytes, crc, preview };
  }

  /** A copy, since other bytes take the place of these. */
  private putBy(bytes: Buffer): void {
    this.rest.push(Buffer.from(bytes));
    this.restBytes += bytes.length;
  }

  private write(piece: Buffer): void {
    for (const part of this.decoding.decode(piece, PART_BYTES)) this.reading.write(part);
  }

  private async readPiece(piece: Buffer, read: () => void): Promise<TextPiece | undefined> {
    // Another thread packs it meanwhile.
    const packing = this.keeps ? packed(piece) : undefined;
    this.check = new RecordCheck();
    const firstLine = this.reading.lineCount + 1;
    const firstRecord = this.records;
    read();
    const { count: records, sum: check } = this.check;
    this.records += records;
    this.textBytes += piece.length;
    if (packing === undefined) return undefined;
    // Of nothing, zlib makes the sum of nothing, whatever came before.
    if (piece.length > 0) this.crc = crc32(piece, this.crc);
    // The last lines may have ended with the piece before, and the end may still yield records.
    else if (records === 0 && this.pieces > 0) return undefined;
    const n = this.pieces++;
    return { n, firstLine, firstRecord, records, check, text: await packing };
  }

  private see(record: ObservedRecord): void {
    if (this.keeps) this.check.add(record, record.line);
    else if (this.holding !== undefined) this.holding.push(kept(record));
    else if (this.preview.length < RECORDS_PREVIEWED) this.preview.push(recordView(record));
  }
}
