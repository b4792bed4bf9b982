/**
 * The lines of a text that arrives in pieces. A last line without its end may be cut anywhere (`0000000000000001` cut short is
 * zero), so it yields nothing unless the text is known to be complete.
 */

/** No line of the tools read here is longer; what is, is rejected. */
export const MAX_LINE_LENGTH = 16_384;

export interface LineSink {
  line(text: string, number: number): void;
  tooLong(number: number): void;
}

export class Lines {
  /** What has come of the line that has no end yet. */
  private rest = '';
  /** Set while the rest of a line that is too long goes by. */
  private skipping = false;
  private number = 0;

  constructor(private readonly sink: LineSink) {}

  /** Lines that have ended, and the next one's if it has begun. */
  get count(): number {
    return this.number;
  }

  write(piece: string): void {
    let start = 0;
    for (let end = piece.indexOf('\n'); end >= 0; end = piece.indexOf('\n', start)) {
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

  /** The line without an end that the text stops with, if there is one; its number is `count + 1`. */
  unended(): string | undefined {
    return this.rest === '' && !this.skipping ? undefined : this.rest;
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
    this.sink.line(text.endsWith('\r') ? text.slice(0, -1) : text, this.number);
  }
}
