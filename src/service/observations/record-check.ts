/**
 * A sum over records. A piece of a text is read again without all that comes before it; that its records are still the same
 * shows in their sum.
 */
import type { KeptRecord } from '../../observations/record.js';

export class RecordCheck {
  private hash = 0;
  private added = 0;

  get sum(): number {
    return this.hash >>> 0;
  }

  get count(): number {
    return this.added;
  }

  /** `line` is the number of its line in the whole text. */
  add(record: KeptRecord, line: number): void {
    this.added += 1;
    this.mix(line);
    this.mix((record.cpu ?? -1) ^ ((record.msr ?? -1) << 8));
    this.mix(record.value?.hi ?? -1);
    this.mix(record.value?.lo ?? -1);
    this.mix(lengths(record));
  }

  private mix(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x0100_0193) + 0x9e37;
  }
}

/** Of the words in it; most of them are the same where these are. */
function lengths({ kind, context, at, comm, name, writer, text, refused }: KeptRecord): number {
  const words = (comm?.length ?? 0) + (name?.length ?? 0) + (writer?.length ?? 0);
  const kinds = kind.length + 32 * context.length + (refused ? 1024 : 0);
  return kinds + 2048 * (at?.length ?? 0) + 65_536 * (words + (text?.length ?? 0));
}
