/** Words and numbers in the bytes of a line. Every `at` may be -1, for what was not there; so is then the answer. */

/**
 * Compared eight bytes at a time, as floating-point numbers: two of them that are ASCII and not all zero are equal only where
 * their bytes are. Where it does not come out even, some are compared once more.
 */
export class Word {
  readonly length: number;
  private readonly eights: Float64Array;
  private readonly last: number;
  private readonly firstFour: number;
  private readonly lastFour: number;

  /** Four letters at least, all of them ASCII. */
  constructor(text: string) {
    this.length = text.length;
    const codes = new DataView(Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer);
    const length = Math.floor((text.length - 1) / 8);
    this.eights = Float64Array.from({ length }, (_, k) => codes.getFloat64(8 * k, true));
    this.last = text.length < 8 ? 0 : codes.getFloat64(text.length - 8, true);
    this.firstFour = codes.getInt32(0, true);
    this.lastFour = codes.getInt32(text.length - 4, true);
  }

  /** Where the word ends that stands at `at`, or -1. */
  after(bytes: DataView, at: number, end: number): number {
    const after = at + this.length;
    if (at < 0 || after > end || bytes.getInt32(at, true) !== this.firstFour) return -1;
    if (this.length < 8) return bytes.getInt32(after - 4, true) === this.lastFour ? after : -1;
    const { eights } = this;
    for (let k = 0; k < eights.length; k += 1) {
      if (bytes.getFloat64(at + 8 * k, true) !== eights[k]) return -1;
    }
    return bytes.getFloat64(after - 8, true) === this.last ? after : -1;
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

/** The same for hexadecimal digits: four at a time, as far as there are four. */
export function endOfHex(bytes: DataView, at: number, end: number, most: number): number {
  if (at < 0) return -1;
  let here = at;
  while (here + 4 <= end && areHex(bytes.getInt32(here, true))) here += 4;
  while (HEX[bytes.getUint8(here)] !== NONE) here += 1;
  return here > at && here <= at + most ? here : -1;
}

const FOUR_ZEROS = 0x3030_3030;

/**
 * The sums have the highest bit of each byte set where it is `0` or beyond, beyond `9`, `a` or beyond, beyond `f`. What is no
 * ASCII may carry into the next byte, but is itself no digit.
 */
function areHex(four: number): boolean {
  if (four === FOUR_ZEROS) return true;
  const decimal = (four + 0x5050_5050) & ~(four + 0x4646_4646);
  const letters = (four + 0x1f1f_1f1f) & ~(four + 0x1919_1919);
  return (~(decimal | letters) & 0x8080_8080) === 0 && (four & 0x8080_8080) === 0;
}

export const endOfBlanks = (bytes: DataView, at: number): number => endOf(BLANKS, bytes, at, 24);

export function numberAt(base: 10 | 16, bytes: DataView, at: number, end: number): number {
  let value = 0;
  for (let here = at; here < end; here += 1) value = value * base + HEX[bytes.getUint8(here)]!;
  return value;
}
