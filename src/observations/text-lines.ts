/** Reads a text of lines into a sink: recognises its format by its first lines, if nobody has named it. */
import { DOCUMENTS } from './documents/formats.js';
import { FORMATS, type Format, recognise } from './formats.js';
import { Lines, MAX_LINE_LENGTH, type Piece } from './lines.js';
import type { Reader, RecordSink } from './record.js';

/** Lines and characters that are looked at to recognise a format. */
const LOOK_AHEAD_LINES = 200;
const LOOK_AHEAD_CHARACTERS = 65_536;

export class TextLines {
  private readonly lines = new Lines({
    line: (text, number) => this.line(text, number),
    common: (piece, start, number) => this.reader?.common?.(piece, start, number) ?? -1,
    tooLong: (number) => {
      if (this.reader === null) this.waiting.push({ text: null, number });
      else this.tooLong(number);
    },
  });
  private reader: Reader | null = null;
  private found: Format | null = null;
  /** Lines that wait until the format is recognised; without the text of those that are too long. */
  private waiting: { readonly text: string | null; readonly number: number }[] = [];
  private waitingCharacters = 0;
  private isCut = false;

  constructor(
    private readonly sink: RecordSink,
    format: Format | null = null,
  ) {
    if (format !== null) this.begin(format);
  }

  /** Null until it is recognised, or where it is not. */
  get format(): Format | null {
    return this.found;
  }

  /** How many lines have ended. */
  get count(): number {
    return this.lines.count;
  }

  write(piece: string | Piece): void {
    this.lines.write(piece);
  }

  /** Whether the text has ended within a line. */
  get cut(): boolean {
    return this.isCut;
  }

  /** No piece follows; `complete`: a last line without its end is whole. */
  end(complete: boolean): void {
    this.isCut = this.lastLine(complete);
    if (this.reader === null) this.recognise();
    this.reader?.end();
  }

  /** Whether it is cut. */
  private lastLine(complete: boolean): boolean {
    const text = this.lines.unended();
    if (text === undefined) return false;
    const number = this.lines.count + 1;
    if (!complete) {
      this.sink.reject(number, 'the line has no end: it may be cut');
      return true;
    }
    if (text.length > MAX_LINE_LENGTH) this.sink.reject(number, 'the line is too long');
    else this.line(text, number);
    return false;
  }

  private line(text: string, number: number): void {
    if (this.reader !== null) {
      this.reader.line(text, number);
      return;
    }
    this.waiting.push({ text, number });
    this.waitingCharacters += text.length;
    const enough = this.waiting.length >= LOOK_AHEAD_LINES;
    if (enough || this.waitingCharacters >= LOOK_AHEAD_CHARACTERS) this.recognise();
  }

  private recognise(): void {
    const format = recognise(this.waiting.flatMap(({ text }) => text ?? []));
    if (format === null) {
      this.sink.refuse(UNRECOGNISED);
      return;
    }
    const reader = this.begin(format);
    for (const { text, number } of this.waiting) {
      if (text === null) this.tooLong(number);
      else reader.line(text, number);
    }
    this.waiting = [];
  }

  private tooLong(number: number): void {
    this.sink.reject(number, `longer than ${MAX_LINE_LENGTH} characters`);
    this.sink.missed?.(number, null);
  }

  private begin(format: Format): Reader {
    this.found = format;
    this.reader = format.makeReader(this.sink);
    return this.reader;
  }
}

const NAMES = [...FORMATS, ...DOCUMENTS].map(({ name }) => name).join(', ');
const UNRECOGNISED = `The format is not recognised. Name it: ${NAMES}.`;
