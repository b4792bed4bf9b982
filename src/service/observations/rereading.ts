/** Reads the pieces of a stored text again, in order but not necessarily all. */
import { Reading, type ReadingOptions, type RecordTap } from '../../observations/reading.js';
import { type KeptRecord, kept, ObservedRecord } from '../../observations/record.js';
import type { TextStore } from '../../store/text-store.js';
import { Slices } from '../slices.js';
import { Decoding, unpacked } from './text-pieces.js';

/** What is read at once: a millisecond or two, in any format. */
const PART_BYTES = 16 * 1024;

/** A record with the number of its line in the whole text. */
export interface Placed {
  readonly record: KeptRecord;
  readonly line: number;
}

export class Rereading {
  private readonly reading: Reading;
  private readonly decoding = new Decoding();
  private readonly slices = new Slices();
  private found: KeptRecord[] = [];
  /** The piece that follows what has been read. */
  next = 0;

  constructor(
    private readonly store: TextStore,
    private readonly id: string,
    private readonly pieces: number,
    options: ReadingOptions,
    /** Whether a line that gives no record, and should have given one, is a loss. */
    withGaps = false,
  ) {
    const tap: RecordTap = { record: (record) => void this.found.push(kept(record)) };
    const missed = (line: number, cpu: number | null): void => {
      this.found.push({ ...kept(new ObservedRecord(line, 'loss')), cpu });
    };
    this.reading = new Reading(options, withGaps ? { ...tap, missed } : tap);
  }

  /**
   * The records of a piece, as many as are read at once; `firstLine` is the number of its first line, where pieces before it
   * were left out.
   */
  async *read(n: number, firstLine = this.reading.lineCount + 1): AsyncGenerator<Placed[]> {
    const piece = await this.store.text(this.id, n);
    // It is being deleted.
    if (piece === undefined) return;
    const bytes = await unpacked(piece);
    const leftOut = firstLine - 1 - this.reading.lineCount;
    for (const part of this.decoding.decode(bytes, PART_BYTES)) {
      this.reading.write(part);
      yield this.take(leftOut);
      await this.slices.pause();
    }
    if (n === this.pieces - 1) {
      this.reading.write(this.decoding.end());
      this.reading.end();
      yield this.take(leftOut);
    }
    this.next = n + 1;
  }

  private take(leftOut: number): Placed[] {
    const found = this.found.map((record) => ({ record, line: record.line + leftOut }));
    this.found = [];
    return found;
  }
}
