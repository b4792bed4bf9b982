/** Words and numbers in the bytes of a line. Every `at` may be -1, for what was not there; so is then the answer. */

/** Compared four bytes at a time, the last four once more where they do not come out even. */
export class Word {
  readonly length: number;
  private readonly offsets: Int32Array;
  private readonly words: Int32Array;

  /** Four bytes at least. */
  constructor(text: string) {
    this.length = text.length;
    const codes = new DataView(Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer);
    const length = Math.ceil(text.length / 4);
    this.offsets = Int32Array.from({ length }, (_, k) => Math.min(4 * k, text.length - 4));
    this.words = this.offsets.map((offset) => codes.getInt32(offset, true));
  }

  /** Where the word ends that stands at `at`, or -1. */
  after(bytes: DataView, at: number, end: number): number {
    const { offsets, words, length } = this;
    if (at < 0 || at + length > end) return -1;
    for (let k = 0; k < words.length; k += 1) {
      if (bytes.getInt32(at + offsets[k]!, true) !== words[k]) return -1;
    }
    return at + length;
  }
}

/** What bytes are as digits; looked up, since no processor can foretell whether the next digit is a letter. */
export const NONE = 0xff;
export const DECIMAL = tableOf('0123456789');
export const HEX = tableOf('0123456789abcdef');
export const CAPITALS = tableOf('ABCDEFGHIJKLMNOPQRSTUVWXYZ_');
export const NAME = tableOf('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789');
const BLANKS = tableOf(' ');

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256).fill(NONE);
  for (let k = 0; k < letters.length; k += 1) table[letters.charCodeAt(k)] = k;
  return table;
}

/** Where one to so many of a table's letters end, or -1. No table has the end of a line. */
export function endOf(table: Uint8Array, bytes: DataView, at: number, most: number): number {
  if (at < 0) return -1;
  let here = at;
  while (table[bytes.getUint8(here)] !== NONE) here += 1;
  return here > at && here <= at + most ? here : -1;
}

export const endOfBlanks = (bytes: DataView, at: number): number => endOf(BLANKS, bytes, at, 24);

export function numberAt(base: 10 | 16, bytes: DataView, at: number, end: number): number {
  let value = 0;
  for (let here = at; here < end; here += 1) value = value * base + HEX[bytes.getUint8(here)]!;
  return value;
}
