/**
 * Quoted-printable, as mail archives keep logs. A text that shows no sign of it is left as it is: `3f1=20` is a value, and a line
 * that ends in `=` lacks something.
 */
import { MAX_LINE_LENGTH } from '../lines.js';

interface Line {
  readonly text: string;
  readonly number: number;
}

/** A line that the encoding has broken is about this long. */
const SHORTEST_BROKEN_LINE = 60;
const SIGN = /=3D|=0D$|=20$/;
/** An `=` without two digits, or with those of a control character. */
const NOT_ENCODED = /=(?!0D|09|[2-7][0-9A-F]|[89A-F][0-9A-F])/;

export class QuotedPrintable {
  /** Lines that may go on in the next one. */
  private begun: Line[] = [];

  /** The lines that are whole now. */
  decode(text: string, number: number): readonly Line[] {
    const broken = text.endsWith('=') && text.length >= SHORTEST_BROKEN_LINE;
    const length = this.begun.reduce((sum, line) => sum + line.text.length, text.length);
    if (broken && length < MAX_LINE_LENGTH) {
      this.begun.push({ text, number });
      return [];
    }
    const lines = [...this.begun, { text, number }];
    this.begun = [];
    const joined = lines.map((line) => line.text.replace(/=$/, '')).join('');
    if (!SIGN.test(joined) || NOT_ENCODED.test(joined)) return lines;
    return [{ text: decoded(joined), number: lines[0]?.number ?? number }];
  }
}

const decoded = (text: string): string =>
  text
    .replace(/=([0-9A-F]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    )
    .trimEnd();
