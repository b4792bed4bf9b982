/**
 * Reads the lines that traces are full of where they stand, in their bytes, many times as fast as regular expressions. What is
 * in any way unusual is left to the careful reader; of what is read here, both say the same.
 */
import type { Piece } from '../lines.js';
import { ObservedRecord } from '../record.js';
import { DECIMAL, endOf, endOfBlanks, Word } from './bytes.js';
import { readEvent } from './ftrace-common-events.js';
import { type Head, headOf } from './ftrace-head.js';

/** `       CPU 0/KVM-4242    [003] d..1.`: task, pid, CPU, and flags or none, in the columns of an ordinary trace. */
const HEAD =
  /^(?=.{16}-)( *[a-zA-Z0-9<].{0,15}-\d{1,9} +(?:\( *[\d-]+\) +)?\[\d{3}\](?: +[a-zA-Z.][\w.]{3,7})?) +\d+(?:\.\d+)?: \S/;
const PLACES = 1024;

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
    const { bytes } = piece;
    const headEnd = start + this.headLength;
    if (headEnd === start || headEnd + 20 > end) return null;
    const timeStart = endOfBlanks(bytes, headEnd);
    const timeEnd = endOfTime(bytes, timeStart);
    if (timeEnd < 0) return null;
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

/** Where the time ends, before `: `, or -1. */
function endOfTime(bytes: DataView, at: number): number {
  const whole = endOf(DECIMAL, bytes, at, 20);
  if (whole < 0) return -1;
  const isFraction = bytes.getUint8(whole) === 0x2e;
  const time = isFraction ? endOf(DECIMAL, bytes, whole + 1, 9) : whole;
  return time >= 0 && bytes.getUint8(time) === 0x3a && bytes.getUint8(time + 1) === 0x20
    ? time
    : -1;
}
