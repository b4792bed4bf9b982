/**
 * The lines of a text that arrives in pieces. A last line without its end may be cut anywhere (`0000000000000001` cut short is
 * zero), so it yields nothing unless the text is known to be complete. Readers see text only: the ends of lines, colours and a
 * byte order mark are gone.
 */

/** No line of the tools read here is longer; what is, is rejected. */
export const MAX_LINE_LENGTH = 16_384;

/** A piece of a text in which every byte is a character. Nobody keeps it: other bytes may take the place of these. */
export class Piece {
  readonly bytes: DataView;
  /** Behind the last line that ends in it. */
  readonly end: number;
  private made: string | undefined;

  constructor(
    /** The same bytes, to be looked at one by one. */
    readonly codes: Uint8Array,
    private readonly decode: () => string,
  ) {
    this.bytes = new DataView(codes.buffer, codes.byteOffset, codes.length);
    this.end = codes.lastIndexOf(LINE_FEED) + 1;
  }

  /** Made only where it is needed: common lines are read without. */
  get text(): string {
    this.made ??= this.decode();
    return this.made;
  }
}

export interface LineSink {
  line(text: string, number: number): void;
  /**
   * Offers the line that begins at `start` where it stands, before its end is looked for: answers where the next one begins. If
   * this answers -1, the line comes as text.
   */
  common?(piece: Piece, start: number, number: number): number;
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

  /** Whole common lines are read where they stand in a piece. */
  write(piece: string | Piece): void {
    if (typeof piece === 'string') {
      this.escapes ||= piece.includes(ESCAPE);
      this.writeText(piece);
    } else {
      this.escapes ||= piece.codes.includes(ESCAPE.charCodeAt(0));
      if (this.escapes) this.writeText(piece.text);
      else this.writePiece(piece);
    }
  }

  private writeText(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.ended(text.slice(start, end));
      start = end + 1;
    }
    this.begun(text.slice(start));
  }

  private writePiece(piece: Piece): void {
    const { sink } = this;
    let start = 0;
    while (start < piece.end) {
      // The first one may have been begun by the last piece.
      const whole = this.rest === '' && !this.skipping;
      const next = whole ? (sink.common?.(piece, start, this.number + 1) ?? -1) : -1;
      if (next > 0) {
        this.number += 1;
        start = next;
      } else {
        const end = piece.text.indexOf('\n', start);
        this.ended(piece.text.slice(start, end));
        start = end + 1;
      }
    }
    if (start < piece.codes.length) this.begun(piece.text.slice(start));
  }

  /** The next line has begun, or goes on. */
  private begun(text: string): void {
    if (this.skipping) return;
    this.rest += text;
    if (this.rest.length > MAX_LINE_LENGTH) {
      this.rest = '';
      this.skipping = true;
    }
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
