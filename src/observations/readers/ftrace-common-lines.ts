/**
 * Reads the lines that traces are full of where they stand, in their bytes, many times as fast as regular expressions. What is
 * in any way unusual is left to the careful reader; of what is read here, both say the same.
 */
import type { Piece } from '../lines.js';
import { ObservedRecord } from '../record.js';
import { BLANK, BLANKS_MAX, DECIMAL, NONE, Word } from './bytes.js';
import { readEvent } from './ftrace-common-events.js';
import { type Head, headOf } from './ftrace-head.js';

/** `       CPU 0/KVM-4242    [003] d..1.`: task, pid, CPU, and flags or none, in the columns of an ordinary trace. */
const HEAD =
  /^(?=.{16}-)( *[a-zA-Z0-9<].{0,15}-\d{1,9} +(?:\( *[\d-]+\) +)?\[\d{3}\](?: +[a-zA-Z.][\w.]{3,7})?) +\d+(?:\.\d+)?: \S/;
const PLACES = 1024;
const [POINT, COLON] = [0x2e, 0x3a];

interface KnownHead {
  readonly columns: Word;
  readonly head: Head;
}

export class CommonLines {
  /** How long heads are in this trace: nearly all are alike. */
  private headLength = 0;
  /** Few heads are in a trace: tasks on their CPUs, with some flags. They are looked up by their bytes. */
  private readonly known: (KnownHead | undefined)[] = new Array(PLACES).fill(undefined);
  /** Two records take turns: while one waits for its stack, the other is filled. Millions would be much to clear away. */
  private filled = new ObservedRecord(0, 'event');
  private spare = new ObservedRecord(0, 'event');

  /** A line that the careful reader had to look at: the next ones may have the same columns. */
  learn(text: string): void {
    this.headLength = HEAD.exec(text)?.[1]?.length ?? this.headLength;
  }

  /** The record of an ordinary line, until the next but one is read; or null where the careful reader must look at it. */
  read(piece: Piece, start: number, end: number, line: number): ObservedRecord | null {
    const headEnd = start + this.headLength;
    if (headEnd === start || headEnd + 20 > end) return null;
    const { codes } = piece;
    let at = headEnd;
    while (codes[at] === BLANK) at += 1;
    const timeStart = at;
    if (timeStart === headEnd || timeStart > headEnd + BLANKS_MAX) return null;
    while (DECIMAL[codes[at]!] !== NONE) at += 1;
    const wholeEnd = at;
    if (wholeEnd === timeStart || wholeEnd > timeStart + 20) return null;
    if (codes[at] === POINT) {
      at += 1;
      while (DECIMAL[codes[at]!] !== NONE) at += 1;
      if (at === wholeEnd + 1 || at > wholeEnd + 10) return null;
    }
    const timeEnd = at;
    if (codes[at] !== COLON || codes[at + 1] !== BLANK) return null;
    const record = this.spare;
    if (!readEvent(piece, timeEnd + 2, end, record)) return null;
    const head = this.head(piece, start, headEnd);
    if (head === null) return null;
    record.line = line;
    record.cpu = head.cpu;
    record.pid = head.pid;
    record.tgid = head.tgid;
    record.comm = head.comm;
    if (record.context === 'unknown') record.context = head.context;
    record.at = piece.text.slice(timeStart, timeEnd);
    this.spare = this.filled;
    this.filled = record;
    return record;
  }

  /** What the careful reader made of the same columns. */
  private head({ text, bytes }: Piece, start: number, end: number): Head | null {
    let hash = 0;
    for (let at = start + 16; at + 4 <= end; at += 4) {
      hash = Math.imul(hash ^ bytes.getInt32(at, true), 0x9e37_79b1);
    }
    const place = (hash ^ (hash >>> 16)) & (PLACES - 1);
    const known = this.known[place];
    if (known?.columns.after(bytes, start, end) === end) return known.head;
    const columns = text.slice(start, end);
    const line = `${columns} 0: x`;
    const head = HEAD.exec(line)?.[1] === columns ? headOf(line) : null;
    if (head !== null) this.known[place] = { columns: new Word(columns), head };
    return head;
  }
}
