/** The events that traces are full of, in the forms in which kernels of today print them. */
import type { Piece } from '../lines.js';
import type { ObservedRecord, RecordKind } from '../record.js';
import { ZERO } from '../value.js';
import {
  BLANK,
  BLANKS_MAX,
  CAPITALS,
  DECIMAL,
  endOf,
  endOfBlanks,
  endOfHex,
  HEX,
  NAME,
  NONE,
  numberAt,
  Word,
} from './bytes.js';
import { KnownWords } from './known-words.js';
import { isRead } from './tracepoints.js';

const [WRITE, READ] = [new Word('write_msr:'), new Word('read_msr:')];
const [ENTRY, EXIT, NMI] = [
  new Word('kvm_entry:'),
  new Word('kvm_exit:'),
  new Word('nmi_handler:'),
];
const [VALUE, VCPU, REASON] = [new Word(', value '), new Word('vcpu '), new Word('reason ')];
const [DELTA, HANDLED] = [new Word('() delta_ns: '), new Word(' handled: ')];
const [ENTRY_RIP, IMMEDIATE] = [new Word(', rip 0x'), new Word('[immediate exit]')];
/** `reason HLT`, of which the last word is kept. */
const reasons = new KnownWords((words) => words.slice(REASON.length));
/** In this order, where they are there at all. */
const FIELDS = [
  ' rip 0x',
  ' info1 0x',
  ' info2 0x',
  ' intr_info 0x',
  ' error_code 0x',
  ' requests 0x',
].map((word) => new Word(word));

/** Fills a record with the event that stands at `at`, to the end of its line: where the next one begins; -1: it is none of these. */
export function readEvent(piece: Piece, at: number, record: ObservedRecord): number {
  clear(record);
  const { bytes, end } = piece;
  const written = WRITE.after(bytes, at, end);
  if (written >= 0) return access('write', piece, written, record);
  const exited = EXIT.after(bytes, at, end);
  if (exited >= 0) return exit(piece, exited, record);
  const entered = ENTRY.after(bytes, at, end);
  if (entered >= 0) return entry(piece, entered, record);
  const read = READ.after(bytes, at, end);
  if (read >= 0) return access('reading', piece, read, record);
  const handled = NMI.after(bytes, at, end);
  if (handled >= 0) return nmi(piece, handled, record);
  return other(piece, at, record);
}

/** Takes away what one of these events has left in it, or its stack. */
function clear(record: ObservedRecord): void {
  record.context = 'unknown';
  record.msr = null;
  record.value = null;
  record.refused = false;
  record.vcpu = null;
  record.writer = null;
  record.count = null;
  record.name = null;
  record.text = null;
}

/** Written out, as what follows from `name:` on, since most lines are such: calls would take as long as the rest. */
function access(
  kind: RecordKind,
  { bytes, codes, end }: Piece,
  blanks: number,
  record: ObservedRecord,
): number {
  let at = blanks;
  while (codes[at] === BLANK) at += 1;
  if (at === blanks || at > blanks + BLANKS_MAX) return -1;
  const msrStart = at;
  let msr = 0;
  for (let digit = HEX[codes[at]!]!; digit !== NONE; digit = HEX[codes[at]!]!) {
    msr = msr * 16 + digit;
    at += 1;
  }
  if (at === msrStart || at > msrStart + 8) return -1;
  const valueStart = VALUE.after(bytes, at, end);
  if (valueStart < 0) return -1;
  at = valueStart;
  let [high, low] = [0, 0];
  for (let digit = HEX[codes[at]!]!; digit !== NONE; digit = HEX[codes[at]!]!) {
    high = (high << 4) | (low >>> 28);
    low = (low << 4) | digit;
    at += 1;
  }
  if (at === valueStart || at > valueStart + 16) return -1;
  record.kind = kind;
  record.msr = msr;
  record.value = (high | low) === 0 ? ZERO : { hi: high >>> 0, lo: low >>> 0 };
  return nextLine(codes, at);
}

function entry({ bytes, codes, end }: Piece, blanks: number, record: ObservedRecord): number {
  const vcpu = VCPU.after(bytes, endOfBlanks(bytes, blanks), end);
  const vcpuEnd = endOf(DECIMAL, bytes, vcpu, 9);
  const rip = endOfHex(bytes, ENTRY_RIP.after(bytes, vcpuEnd, end), end, 16);
  const fields = endOfFields(bytes, rip, end);
  record.kind = 'vm_entry';
  record.vcpu = numberAt(10, bytes, vcpu, vcpuEnd);
  return nextLine(codes, Math.max(fields, IMMEDIATE.after(bytes, fields, end)));
}

/** Before 5.10 an exit does not name its vCPU. */
function exit(piece: Piece, blanks: number, record: ObservedRecord): number {
  const { bytes, codes, end } = piece;
  const at = endOfBlanks(bytes, blanks);
  const vcpu = VCPU.after(bytes, at, end);
  const vcpuEnd = endOf(DECIMAL, bytes, vcpu, 9);
  const isNamed = vcpuEnd >= 0 && bytes.getUint8(vcpuEnd) === 0x20;
  const reason = isNamed ? vcpuEnd + 1 : at;
  const reasonEnd = endOf(CAPITALS, bytes, REASON.after(bytes, reason, end), 64);
  if (reasonEnd < 0) return -1;
  record.kind = 'vm_exit';
  record.vcpu = isNamed ? numberAt(10, bytes, vcpu, vcpuEnd) : null;
  record.name = reasons.of(piece, reason, reasonEnd);
  return nextLine(codes, endOfFields(bytes, reasonEnd, end));
}

function endOfFields(bytes: DataView, at: number, end: number): number {
  let here = at;
  for (let k = 0; k < FIELDS.length && here >= 0 && bytes.getUint8(here) === BLANK; k += 1) {
    const digits = FIELDS[k]!.after(bytes, here, end);
    if (digits >= 0) here = endOfHex(bytes, digits, end, 16);
  }
  return here;
}

function nmi(piece: Piece, blanks: number, record: ObservedRecord): number {
  const { bytes, codes, end } = piece;
  const at = endOfBlanks(bytes, blanks);
  const nameEnd = endOf(NAME, bytes, at, 64);
  const delta = DELTA.after(bytes, nameEnd, end);
  const deltaEnd = endOf(DECIMAL, bytes, delta, 15);
  const handled = HANDLED.after(bytes, deltaEnd, end);
  const handledEnd = endOf(DECIMAL, bytes, handled, 9);
  if (handledEnd < 0) return -1;
  record.kind = 'nmi';
  record.name = piece.text.slice(at, nameEnd);
  record.count = numberAt(10, bytes, delta, deltaEnd);
  record.text = `handled: ${piece.text.slice(handled, handledEnd)}`;
  record.context = 'nmi';
  return nextLine(codes, handledEnd);
}

/** An event that is only named. printk's text may be in it, and stacks look like events. */
function other({ text, bytes, codes }: Piece, at: number, record: ObservedRecord): number {
  const nameEnd = endOf(NAME, bytes, at, 64);
  if (nameEnd < 0 || bytes.getUint8(nameEnd) !== 0x3a) return -1;
  const body = endOfBlanks(bytes, nameEnd + 1);
  if (body < 0 || !isVisible(bytes.getUint8(body))) return -1;
  const lineEnd = text.indexOf('\n', body);
  const bodyEnd = codes[lineEnd - 1] === CARRIAGE_RETURN ? lineEnd - 1 : lineEnd;
  const [name, said] = [text.slice(at, nameEnd), text.slice(body, bodyEnd)];
  if (isRead(name) || said.startsWith('<stack') || said.includes('too long')) return -1;
  record.kind = 'event';
  record.name = name;
  record.text = said;
  return lineEnd + 1;
}

const isVisible = (byte: number): boolean => byte > 0x20 && byte < 0x7f;

const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d];

/** Behind the end of the line, if it stands at `at`; otherwise -1. */
function nextLine(codes: Uint8Array, at: number): number {
  if (codes[at] === LINE_FEED) return at + 1;
  return codes[at] === CARRIAGE_RETURN && codes[at + 1] === LINE_FEED ? at + 2 : -1;
}
