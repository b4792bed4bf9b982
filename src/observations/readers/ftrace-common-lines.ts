/**
 * Reads the lines that traces are full of where they stand, byte by byte and word by word, many times as fast as regular
 * expressions. What is in any way unusual is left to the careful reader; of what is read here, both say the same.
 */
import type { Piece } from '../lines.js';
import { ObservedRecord, type RecordKind } from '../record.js';
import { ZERO } from '../value.js';
import { type Head, headOf } from './ftrace-head.js';

/** `       CPU 0/KVM-4242    [003] d..1.`: task, pid, CPU and five flags in the columns of an ordinary trace. */
const HEAD = /^(?=.{16}-\d{1,7} +\[\d{3}\] [a-zA-Z.#][\w.#]{4}$) *[a-zA-Z0-9<].{15,}$/;
const HEAD_LENGTH = 36;
/** Few heads are in a trace: tasks on their CPUs, with some flags. They are looked up by their bytes, four at a time. */
const HEAD_WORDS = HEAD_LENGTH / 4;
const PLACES = 1024;

/** No line that is read here is shorter. */
const SHORTEST = 60;

interface KnownHead {
  readonly words: Int32Array;
  readonly head: Head;
}

export class CommonLines {
  private readonly known: (KnownHead | undefined)[] = new Array(PLACES).fill(undefined);

  /** The record of an ordinary line, or null where the careful reader must look at it. */
  read(piece: Piece, start: number, end: number, line: number): ObservedRecord | null {
    const { bytes } = piece;
    if (end < start + SHORTEST) return null;
    const timeStart = skipBlanks(bytes, start + HEAD_LENGTH);
    const timeEnd = endOfTime(bytes, timeStart);
    if (timeStart === start + HEAD_LENGTH || timeEnd < 0) return null;
    const record = eventAt(piece, timeEnd + 2, end, line);
    if (record === null) return null;
    const head = this.head(piece, start);
    if (head === null) return null;
    record.cpu = head.cpu;
    record.pid = head.pid;
    record.comm = head.comm;
    record.context = head.context;
    record.at = piece.text.slice(timeStart, timeEnd);
    return record;
  }

  private head({ text, bytes }: Piece, start: number): Head | null {
    let hash = 0;
    for (let at = start + 16; at < start + HEAD_LENGTH; at += 4) {
      hash = Math.imul(hash ^ bytes.getInt32(at, true), 0x9e37_79b1);
    }
    const place = (hash ^ (hash >>> 16)) & (PLACES - 1);
    const known = this.known[place];
    if (known !== undefined && isAt(bytes, start, known.words)) return known.head;
    const columns = text.slice(start, start + HEAD_LENGTH);
    if (!HEAD.test(columns)) return null;
    const head = headOf(`${columns} 0: `);
    if (head !== null) this.known[place] = { words: wordsAt(bytes, start), head };
    return head;
  }
}

function wordsAt(bytes: DataView, start: number): Int32Array {
  return Int32Array.from({ length: HEAD_WORDS }, (_, k) => bytes.getInt32(start + 4 * k, true));
}

function isAt(bytes: DataView, start: number, words: Int32Array): boolean {
  for (let k = 0; k < HEAD_WORDS; k += 1) {
    if (bytes.getInt32(start + 4 * k, true) !== words[k]) return false;
  }
  return true;
}

/** What must stand in a line, compared four bytes at a time, the last four once more where they do not come out even. */
class Word {
  readonly length: number;
  private readonly offsets: Int32Array;
  private readonly words: Int32Array;

  constructor(text: string) {
    this.length = text.length;
    const codes = new DataView(Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer);
    const length = Math.ceil(text.length / 4);
    this.offsets = Int32Array.from({ length }, (_, k) => Math.min(4 * k, text.length - 4));
    this.words = this.offsets.map((offset) => codes.getInt32(offset, true));
  }

  /** Where the word ends that stands at `at`, or -1; anything below zero stays so. */
  after(bytes: DataView, at: number, end: number): number {
    const { offsets, words, length } = this;
    if (at < 0 || at + length > end) return -1;
    for (let k = 0; k < words.length; k += 1) {
      if (bytes.getInt32(at + offsets[k]!, true) !== words[k]) return -1;
    }
    return at + length;
  }
}

const [WRITE, READ] = [new Word('write_msr: '), new Word('read_msr: ')];
const [ENTRY, EXIT] = [new Word('kvm_entry: vcpu '), new Word('kvm_exit: vcpu ')];
const [VALUE, REASON, ENTRY_RIP] = [
  new Word(', value '),
  new Word(' reason '),
  new Word(', rip 0x'),
];
const [RIP, INFO1, INFO2] = [new Word(' rip 0x'), new Word(' info1 0x'), new Word(' info2 0x')];
const [INTR_INFO, ERROR_CODE] = [new Word(' intr_info 0x'), new Word(' error_code 0x')];
const REQUESTS = new Word(' requests 0x');

function eventAt(piece: Piece, at: number, end: number, line: number): ObservedRecord | null {
  const { bytes } = piece;
  const written = WRITE.after(bytes, at, end);
  if (written >= 0) return access('write', bytes, written, end, line);
  const exited = EXIT.after(bytes, at, end);
  if (exited >= 0) return exit(piece, exited, end, line);
  const entered = ENTRY.after(bytes, at, end);
  if (entered >= 0) return entry(bytes, entered, end, line);
  const read = READ.after(bytes, at, end);
  return read < 0 ? null : access('reading', bytes, read, end, line);
}

function access(
  kind: RecordKind,
  bytes: DataView,
  at: number,
  end: number,
  line: number,
): ObservedRecord | null {
  const msrEnd = endOf(HEX, bytes, at);
  const valueStart = VALUE.after(bytes, msrEnd, end);
  if (valueStart < 0 || msrEnd > at + 8 || end > valueStart + 16) return null;
  const middle = Math.max(valueStart, end - 8);
  let [high, low] = [0, 0];
  for (let here = valueStart; here < end; here += 1) {
    const digit = HEX[bytes.getUint8(here)]!;
    if (digit === NONE) return null;
    if (here < middle) high = (high << 4) | digit;
    else low = (low << 4) | digit;
  }
  const record = new ObservedRecord(line, kind);
  record.msr = numberAt(16, bytes, at, msrEnd);
  record.value = (high | low) === 0 ? ZERO : { high: high >>> 0, low: low >>> 0 };
  return record;
}

function entry(bytes: DataView, at: number, end: number, line: number): ObservedRecord | null {
  const vcpuEnd = endOf(DECIMAL, bytes, at);
  const rip = field(ENTRY_RIP, bytes, vcpuEnd, end);
  if (rip !== end && field(ERROR_CODE, bytes, field(INTR_INFO, bytes, rip, end), end) !== end) {
    return null;
  }
  if (vcpuEnd > at + 9) return null;
  const record = new ObservedRecord(line, 'vm_entry');
  record.vcpu = numberAt(10, bytes, at, vcpuEnd);
  return record;
}

function exit(piece: Piece, at: number, end: number, line: number): ObservedRecord | null {
  const { bytes } = piece;
  const vcpuEnd = endOf(DECIMAL, bytes, at);
  const reason = REASON.after(bytes, vcpuEnd, end);
  const reasonEnd = endOf(CAPITALS, bytes, reason);
  let last = field(RIP, bytes, reasonEnd, end);
  last = field(INFO2, bytes, field(INFO1, bytes, last, end), end);
  last = field(ERROR_CODE, bytes, field(INTR_INFO, bytes, last, end), end);
  if (last !== end && field(REQUESTS, bytes, last, end) !== end) return null;
  if (vcpuEnd > at + 9) return null;
  const record = new ObservedRecord(line, 'vm_exit');
  record.vcpu = numberAt(10, bytes, at, vcpuEnd);
  record.name = piece.text.slice(reason, reasonEnd);
  return record;
}

/** Where a word and the hexadecimal digits behind it end, or -1. */
function field(word: Word, bytes: DataView, at: number, end: number): number {
  return endOf(HEX, bytes, word.after(bytes, at, end));
}

function skipBlanks(bytes: DataView, at: number): number {
  let here = at;
  while (here < at + 9 && bytes.getUint8(here) === 0x20) here += 1;
  return here;
}

/** Where seconds and their fraction end, before `: `, or -1. */
function endOfTime(bytes: DataView, at: number): number {
  const seconds = endOf(DECIMAL, bytes, at);
  if (seconds < 0 || seconds > at + 9 || bytes.getUint8(seconds) !== 0x2e) return -1;
  const fraction = endOf(DECIMAL, bytes, seconds + 1);
  if (fraction < 0 || fraction > seconds + 10 || bytes.getUint8(fraction) !== 0x3a) return -1;
  return bytes.getUint8(fraction + 1) === 0x20 ? fraction : -1;
}

/** What bytes are as digits; looked up, since no processor can foretell whether the next digit is a letter. */
const NONE = 0xff;
const DECIMAL = tableOf('0123456789');
const HEX = tableOf('0123456789abcdef');
const CAPITALS = tableOf('ABCDEFGHIJKLMNOPQRSTUVWXYZ_');

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256).fill(NONE);
  for (let k = 0; k < letters.length; k += 1) table[letters.charCodeAt(k)] = k;
  return table;
}

/** Where one or more of the table's letters end, or -1. The end of the line is none of them. */
function endOf(table: Uint8Array, bytes: DataView, at: number): number {
  if (at < 0) return -1;
  let here = at;
  while (table[bytes.getUint8(here)] !== NONE) here += 1;
  return here > at ? here : -1;
}

function numberAt(base: 10 | 16, bytes: DataView, at: number, end: number): number {
  let value = 0;
  for (let here = at; here < end; here += 1) value = value * base + HEX[bytes.getUint8(here)]!;
  return value;
}
