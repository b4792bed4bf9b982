/** The events that traces are full of, in the forms in which kernels of today print them. */
import type { Piece } from '../lines.js';
import type { ObservedRecord, RecordKind } from '../record.js';
import { ZERO } from '../value.js';
import {
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
/** In this order, where they are there at all. */
const FIELDS = [
  ' rip 0x',
  ' info1 0x',
  ' info2 0x',
  ' intr_info 0x',
  ' error_code 0x',
  ' requests 0x',
].map((word) => new Word(word));

/** Fills a record with the event that stands at `at`; false where it is none of these. */
export function readEvent(piece: Piece, at: number, end: number, record: ObservedRecord): boolean {
  clear(record);
  const { bytes } = piece;
  const written = endOfBlanks(bytes, WRITE.after(bytes, at, end));
  if (written >= 0) return access('write', bytes, written, end, record);
  const exited = endOfBlanks(bytes, EXIT.after(bytes, at, end));
  if (exited >= 0) return exit(piece, exited, end, record);
  const entered = endOfBlanks(bytes, ENTRY.after(bytes, at, end));
  if (entered >= 0) return entry(bytes, entered, end, record);
  const read = endOfBlanks(bytes, READ.after(bytes, at, end));
  if (read >= 0) return access('reading', bytes, read, end, record);
  const handled = endOfBlanks(bytes, NMI.after(bytes, at, end));
  if (handled >= 0) return nmi(piece, handled, end, record);
  return other(piece, at, end, record);
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

function access(
  kind: RecordKind,
  bytes: DataView,
  at: number,
  end: number,
  record: ObservedRecord,
): boolean {
  const msrEnd = endOf(HEX, bytes, at, 8);
  const valueStart = VALUE.after(bytes, msrEnd, end);
  if (valueStart < 0 || valueStart === end || end > valueStart + 16) return false;
  const middle = Math.max(valueStart, end - 8);
  let [high, low] = [0, 0];
  for (let here = valueStart; here < end; here += 1) {
    const digit = HEX[bytes.getUint8(here)]!;
    if (digit === NONE) return false;
    if (here < middle) high = (high << 4) | digit;
    else low = (low << 4) | digit;
  }
  record.kind = kind;
  record.msr = numberAt(16, bytes, at, msrEnd);
  record.value = (high | low) === 0 ? ZERO : { hi: high >>> 0, lo: low >>> 0 };
  return true;
}

function entry(bytes: DataView, at: number, end: number, record: ObservedRecord): boolean {
  const vcpu = VCPU.after(bytes, at, end);
  const vcpuEnd = endOf(DECIMAL, bytes, vcpu, 9);
  const rip = endOfHex(bytes, ENTRY_RIP.after(bytes, vcpuEnd, end), end, 16);
  const fields = rip < 0 ? -1 : endOfFields(bytes, rip, end);
  if (fields !== end && IMMEDIATE.after(bytes, fields, end) !== end) return false;
  record.kind = 'vm_entry';
  record.vcpu = numberAt(10, bytes, vcpu, vcpuEnd);
  return true;
}

/** Before 5.10 an exit does not name its vCPU. */
function exit(piece: Piece, at: number, end: number, record: ObservedRecord): boolean {
  const { bytes } = piece;
  const vcpu = VCPU.after(bytes, at, end);
  const vcpuEnd = endOf(DECIMAL, bytes, vcpu, 9);
  const isNamed = vcpuEnd >= 0 && bytes.getUint8(vcpuEnd) === 0x20;
  const reason = REASON.after(bytes, isNamed ? vcpuEnd + 1 : at, end);
  const reasonEnd = endOf(CAPITALS, bytes, reason, 64);
  if (reasonEnd < 0 || endOfFields(bytes, reasonEnd, end) !== end) return false;
  record.kind = 'vm_exit';
  record.vcpu = isNamed ? numberAt(10, bytes, vcpu, vcpuEnd) : null;
  record.name = piece.text.slice(reason, reasonEnd);
  return true;
}

function endOfFields(bytes: DataView, at: number, end: number): number {
  let here = at;
  for (let k = 0; k < FIELDS.length && here >= 0 && here < end; k += 1) {
    const digits = FIELDS[k]!.after(bytes, here, end);
    if (digits >= 0) here = endOfHex(bytes, digits, end, 16);
  }
  return here;
}

function nmi(piece: Piece, at: number, end: number, record: ObservedRecord): boolean {
  const { bytes, text } = piece;
  const nameEnd = endOf(NAME, bytes, at, 64);
  const delta = DELTA.after(bytes, nameEnd, end);
  const deltaEnd = endOf(DECIMAL, bytes, delta, 15);
  const handled = HANDLED.after(bytes, deltaEnd, end);
  if (endOf(DECIMAL, bytes, handled, 9) !== end) return false;
  record.kind = 'nmi';
  record.name = text.slice(at, nameEnd);
  record.count = numberAt(10, bytes, delta, deltaEnd);
  record.text = `handled: ${text.slice(handled, end)}`;
  record.context = 'nmi';
  return true;
}

/** An event that is only named. printk's text may be in it, and stacks look like events. */
function other({ text, bytes }: Piece, at: number, end: number, record: ObservedRecord): boolean {
  const nameEnd = endOf(NAME, bytes, at, 64);
  if (nameEnd < 0 || bytes.getUint8(nameEnd) !== 0x3a) return false;
  const body = endOfBlanks(bytes, nameEnd + 1);
  if (body < 0 || !isVisible(bytes.getUint8(body))) return false;
  const [name, said] = [text.slice(at, nameEnd), text.slice(body, end)];
  if (isRead(name) || said.startsWith('<stack') || said.includes('too long')) return false;
  record.kind = 'event';
  record.name = name;
  record.text = said;
  return true;
}

const isVisible = (byte: number): boolean => byte > 0x20 && byte < 0x7f;
