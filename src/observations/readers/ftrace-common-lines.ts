/**
 * Reads the lines that traces are full of where they stand, in their bytes, many times as fast as regular expressions. What is
 * in any way unusual is left to the careful reader; of what is read here, both say the same.
 */
import { MAX_LINE_LENGTH, type Piece } from '../lines.js';
import { ObservedRecord } from '../record.js';
import { BLANK, BLANKS_MAX, DECIMAL, NONE } from './bytes.js';
import { readEvent } from './ftrace-common-events.js';
import { type Head, headOf } from './ftrace-head.js';
import { KnownWords } from './known-words.js';

/** `       CPU 0/KVM-4242    [003] d..1.`: task, pid, CPU, and flags or none, in the columns of an ordinary trace. */
const HEAD =
  /^(?=.{16}-)( *[a-zA-Z0-9<].{0,15}-\d{1,9} +(?:\( *[\d-]+\) +)?\[\d{3}\](?: +[a-zA-Z.][\w.]{3,7})?) +\d+(?:\.\d+)?: \S/;
const [POINT, ZERO, COLON] = [0x2e, 0x30, 0x3a];
/** So many of a whole number are exact, whatever they are. */
const DIGITS_MAX = 15;

export class CommonLines {
  /** How long heads are in this trace: nearly all are alike. */
  private headLength = 0;
  /** Tasks on their CPUs, with some flags. */
  private readonly heads = new KnownWords(headOfColumns);
  /** Two records take turns: while one waits for its stack, the other is filled. Millions would be much to clear away. */
  private filled = new ObservedRecord(0, 'event');
  private spare = new ObservedRecord(0, 'event');

  /** A line that the careful reader had to look at: the next ones may have the same columns. */
  learn(text: string): void {
    this.headLength = HEAD.exec(text)?.[1]?.length ?? this.headLength;
  }

  /** Of the line that was read last; until the next but one is read. */
  get record(): ObservedRecord {
    return this.filled;
  }

  /** Reads an ordinary line: where the next one begins, or -1 where the careful reader must look at it. */
  read(piece: Piece, start: number, line: number): number {
    const { codes } = piece;
    const headEnd = start + this.headLength;
    if (headEnd === start || headEnd >= piece.end) return -1;
    let at = headEnd;
    while (codes[at] === BLANK) at += 1;
    const timeStart = at;
    if (timeStart === headEnd || timeStart > headEnd + BLANKS_MAX) return -1;
    let whole = 0;
    for (let digit = DECIMAL[codes[at]!]!; digit !== NONE; digit = DECIMAL[codes[at]!]!) {
      whole = whole * 10 + digit;
      at += 1;
    }
    const wholeEnd = at;
    if (wholeEnd === timeStart || wholeEnd > timeStart + 20) return -1;
    let [fraction, fractionDigits] = [0, 0];
    if (codes[at] === POINT) {
      at += 1;
      for (let digit = DECIMAL[codes[at]!]!; digit !== NONE; digit = DECIMAL[codes[at]!]!) {
        fraction = fraction * 10 + digit;
        at += 1;
      }
      fractionDigits = at - wholeEnd - 1;
      if (fractionDigits === 0 || fractionDigits > 9) return -1;
    }
    const timeEnd = at;
    if (codes[at] !== COLON || codes[at + 1] !== BLANK) return -1;
    const record = this.spare;
    const next = readEvent(piece, timeEnd + 2, record);
    if (next < 0 || next > start + MAX_LINE_LENGTH + 1) return -1;
    const head = this.heads.of(piece, start, headEnd);
    if (head === null) return -1;
    record.line = line;
    record.cpu = head.cpu;
    record.pid = head.pid;
    record.tgid = head.tgid;
    record.comm = head.comm;
    if (record.context === 'unknown') record.context = head.context;
    const isNumber = wholeEnd <= timeStart + DIGITS_MAX && codes[timeStart] !== ZERO;
    if (isNumber) record.time.count(whole, fraction, fractionDigits);
    else record.at = piece.text.slice(timeStart, timeEnd);
    this.spare = this.filled;
    this.filled = record;
    return next;
  }
}

/** What the careful reader makes of the same columns. */
function headOfColumns(columns: string): Head | null {
  const line = `${columns} 0: x`;
  return HEAD.exec(line)?.[1] === columns ? headOf(line) : null;
}
