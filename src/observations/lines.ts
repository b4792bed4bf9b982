/**
 * The lines of a text that arrives in pieces. A last line without its end may be cut anywhere (`0000000000000001` cut short is
 * zero), so it yields nothing unless the text is known to be complete. Readers see text only: the ends of lines, colours and a
 * byte order mark are gone.
 */

/** No line of the tools read here is longer; what is, is rejected. */
export const MAX_LINE_LENGTH = 16_384;

/** A piece of a text, with a byte for each character. */
export interface Piece {
  readonly text: string;
  readonly bytes: DataView;
}

export interface LineSink {
  line(text: string, number: number): void;
  /**
   * Offers a line where it stands, before it is cut out: from `start` to `end`, which is where it ends. If this answers false,
   * the line comes as text.
   */
  common?(piece: Piece, start: number, end: number, number: number): boolean;
  tooLong(number: number): void;
}

export class Lines {
  /** What has come of the line that has no end yet. */
  private rest = '';
  /** Set while the rest of a line that is too long goes by. */
  private skipping = false;
  private number = 0;
  /** Whether the text has had an escape: until then nobody looks for any in its lines. */
  private escapes = false;

  constructor(private readonly sink: LineSink) {}

  /** Lines that have ended, and the next one's if it has begun. */
  get count(): number {
    return this.number;
  }

  /** With the bytes that the piece was decoded from, whole common lines can be read where they stand. */
  write(piece: string, bytes?: Uint8Array): void {
    this.escapes ||= piece.includes(ESCAPE);
    let start = 0;
    if (bytes !== undefined && bytes.length === piece.length && !this.escapes) {
      start = this.writeCommon(piece, bytes);
    }
    for (let end = piece.indexOf('\n', start); end >= 0; end = piece.indexOf('\n', start)) {
      this.ended(piece.slice(start, end));
      start = end + 1;
    }
    if (this.skipping) return;
    this.rest += piece.slice(start);
    if (this.rest.length > MAX_LINE_LENGTH) {
      this.rest = '';
      this.skipping = true;
    }
  }

  /** The same for a piece in which every byte is a character; answers where what is left begins. */
  private writeCommon(text: string, bytes: Uint8Array): number {
    const { sink } = this;
    const piece = { text, bytes: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      // It may have been begun by the last piece.
      const whole =
        this.rest === '' &&
        !this.skipping &&
        bytes[end] === LINE_FEED &&
        end - start <= MAX_LINE_LENGTH;
      const last = bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
      if (whole && sink.common?.(piece, start, last, this.number + 1) === true) this.number += 1;
      else this.ended(text.slice(start, end));
      start = end + 1;
    }
    return start;
  }

  /** The line without an end that the text stops with, if there is one; its number is `count + 1`. */
  unended(): string | undefined {
    if (this.skipping) return this.rest;
    return this.rest === '' ? undefined : this.clean(this.rest, this.number + 1);
  }

  private ended(last: string): void {
    this.number += 1;
    const text = this.rest + last;
    this.rest = '';
    if (this.skipping || text.length > MAX_LINE_LENGTH) {
      this.skipping = false;
      this.sink.tooLong(this.number);
      return;
    }
    this.sink.line(this.clean(text, this.number), this.number);
  }

  private clean(text: string, number: number): string {
    const marked = number === 1 ? text.replace(BYTE_ORDER_MARK, '') : text;
    const plain = this.escapes ? withoutAnsi(marked) : marked;
    return plain.charCodeAt(plain.length - 1) === CARRIAGE_RETURN
      ? plain.replace(/\r+$/, '')
      : plain;
  }
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const ESCAPE = '\x1b';

/** As UTF-8, and as its bytes one by one. */
const BYTE_ORDER_MARK = /^(?:\ufeff|\xef\xbb\xbf)/;

/** Colours and cursor movements (CSI), titles (OSC), and choices of a character set. */
const ANSI =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][0-9A-Za-z]|[=>78DEHMc])/g;

/** The text as a terminal would show it, without colours. */
export function withoutAnsi(text: string): string {
  return text.includes(ESCAPE) ? text.replace(ANSI, '') : text;
}
