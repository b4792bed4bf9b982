/** What was made of words before, found by their bytes: few words are in a trace, and each of them many times. */
import type { Piece } from '../lines.js';
import { Word } from './bytes.js';

const PLACES = 1024;
/** Where words are longer, their last letters tell them apart. */
const LETTERS_LOOKED_AT = 20;

export class KnownWords<T> {
  private readonly places: ({ readonly word: Word; readonly meaning: T } | undefined)[] = new Array(
    PLACES,
  ).fill(undefined);

  /** `read` answers null for what is no such word. */
  constructor(private readonly read: (word: string) => T | null) {}

  /** Of four letters at least. */
  of({ bytes, codes }: Piece, start: number, end: number): T | null {
    const place = placeOf(bytes, start, end);
    const known = this.places[place];
    if (known?.word.after(bytes, start, end) === end) return known.meaning;
    const word = String.fromCharCode(...codes.subarray(start, end));
    const meaning = this.read(word);
    if (meaning !== null) this.places[place] = { word: new Word(word), meaning };
    return meaning;
  }
}

function placeOf(bytes: DataView, start: number, end: number): number {
  const first = Math.max(start, end - LETTERS_LOOKED_AT);
  let hash = 0;
  for (let at = end - 4; at >= first; at -= 4) {
    hash = Math.imul(hash ^ bytes.getInt32(at, true), 0x9e37_79b1);
  }
  return (hash ^ (hash >>> 16)) & (PLACES - 1);
}
