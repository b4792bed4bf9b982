/** Quoted-printable, as mail archives keep logs. A text that shows no sign of it is left as it is: `3f1=20` is a value. */

import { MAX_LINE_LENGTH } from '../lines.js';

/** A line broken by the encoding is about this long; others that end in `=` lack something. */
const SHORTEST_BROKEN_LINE = 60;

export class QuotedPrintable {
  private begun = '';

  /** The decoded line; null when it goes on in the next one. */
  decode(line: string): string | null {
    const broken = line.endsWith('=') && line.length >= SHORTEST_BROKEN_LINE;
    if (broken) {
      this.begun += line.slice(0, -1);
      if (this.begun.length > MAX_LINE_LENGTH) this.begun = '';
      return null;
    }
    const whole = this.begun + line;
    const decoded = this.begun !== '' || /=3D|=0D$|=20$/.test(whole) ? decode(whole) : whole;
    this.begun = '';
    return decoded;
  }
}

/** The line as it is where it cannot be quoted-printable: an `=` without two digits, or with those of a control character. */
function decode(line: string): string {
  if (/=(?!0D|09|[2-7][0-9A-F]|[89A-F][0-9A-F])/.test(line)) return line;
  return line
    .replace(/=([0-9A-F]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    )
    .replace(/\r$/, '');
}
