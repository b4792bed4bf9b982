/** What the body of a trace event says: the text after `write_msr: `, the same in ftrace, trace-cmd and perf script. */
import { nameOfIndex } from '../msr-names.js';
import { ObservedRecord } from '../record.js';
import { valueOfHex } from '../value.js';
import { recordOfFields } from './tracepoint-fields.js';

/** Tracepoints that are read, not only named. */
const BODIES: Readonly<Record<string, (line: number, body: string) => ObservedRecord | null>> = {
  write_msr: (line, body) => access(new ObservedRecord(line, 'write'), body),
  read_msr: (line, body) => access(new ObservedRecord(line, 'reading'), body),
  rdpmc: (line, body) => access(new ObservedRecord(line, 'counter_read'), body),
  kvm_entry: entry,
  kvm_exit: exit,
  kvm_msr: guestAccess,
  kvm_perf_msr: loadList,
  nmi_handler: nmi,
};

export const isRead = (name: string): boolean => Object.hasOwn(BODIES, name);

/** A line with one of them in it should have given a record. */
const CLAIMS =
  /\b(?:write_msr|read_msr|rdpmc|kvm_entry|kvm_exit|kvm_msr|kvm_perf_msr|nmi_handler):(?:\s|$)|^\s*(?:\w+\([0-9a-f]+\)|[0-9a-f]+), value /;
export const claimsToBeRead = (text: string): boolean => CLAIMS.test(text);

/** The record of an event's body, or null where the body is not what the kernel prints for this event. */
export function recordOfBody(line: number, name: string, body: string): ObservedRecord | null {
  const read = isRead(name) ? BODIES[name] : undefined;
  return read === undefined
    ? eventOf(line, name, body)
    : (read(line, body) ?? ofFields(line, name, body));
}

/** An event that is only named. */
export function eventOf(line: number, name: string, body: string): ObservedRecord {
  const record = new ObservedRecord(line, 'event');
  record.name = name;
  record.text = body;
  return record;
}

/** An MSR's index; decode_msr.py puts a name before it. */
const MSR = String.raw`(?:([0-9a-f]{1,8})|\w+\(([0-9a-f]{1,8})\))`;
const VALUE = '([0-9a-f]{1,16})';
/** People write comments behind lines of a trace. */
const END = String.raw`\s*(?://.*)?$`;

const ACCESS = new RegExp(`^${MSR}, value ${VALUE}( #GP)?${END}`);

/** Of write_msr, read_msr and rdpmc, whose index is a counter. */
function access(record: ObservedRecord, body: string): ObservedRecord | null {
  const [, index, named, value, fault] = ACCESS.exec(body) ?? [];
  if (value === undefined) return null;
  const number = Number.parseInt(index ?? named ?? '', 16);
  if (record.kind === 'counter_read') record.count = number;
  else record.msr = number;
  record.refused = fault !== undefined;
  if (!record.refused || record.kind === 'write') record.value = valueOfHex(value);
  return record;
}

/** Fields that newer kernels add: `intr_info 0x800000ec`. Old exits have `info 0 800000fd`. */
const FIELDS = '(?: (?:info [0-9a-fx]+ [0-9a-fx]+|[a-z][a-z_0-9]* (?:0x)?[0-9a-f]+))*';
const ENTRY = new RegExp(
  String.raw`^vcpu (\d{1,9})(?:,? rip 0x[0-9a-f]+)?${FIELDS} ?(?:\[immediate exit\])?${END}`,
);

function entry(line: number, body: string): ObservedRecord | null {
  const vcpu = ENTRY.exec(body)?.[1];
  if (vcpu === undefined) return null;
  const record = new ObservedRecord(line, 'vm_entry');
  record.vcpu = Number(vcpu);
  return record;
}

/** The reason may have flags behind it: `INVALID_STATE FAILED_VMENTRY`. */
const EXIT = new RegExp(
  String.raw`^(?:vcpu (\d{1,9}),? )?reason (\w+(?: [A-Z_]+)*)(${FIELDS})${END}`,
);

function exit(line: number, body: string): ObservedRecord | null {
  const [, first, reason, fields = ''] = EXIT.exec(body) ?? [];
  if (reason === undefined) return null;
  const record = new ObservedRecord(line, 'vm_exit');
  const vcpu = first ?? / vcpu (\d{1,9})(?: |$)/.exec(fields)?.[1];
  record.vcpu = vcpu === undefined ? null : Number(vcpu);
  record.name = reason;
  return record;
}

const GUEST_ACCESS = new RegExp(String.raw`^msr_(read|write) ${MSR} = 0x${VALUE}( \(#GP\))?${END}`);

function guestAccess(line: number, body: string): ObservedRecord | null {
  const [, verb, index, named, value, fault] = GUEST_ACCESS.exec(body) ?? [];
  if (value === undefined) return null;
  const record = new ObservedRecord(line, 'guest_access');
  record.msr = Number.parseInt(index ?? named ?? '', 16);
  record.writes = verb === 'write';
  record.refused = fault !== undefined;
  if (!record.refused || record.writes) record.value = valueOfHex(value);
  return record;
}

const LOAD_LIST = new RegExp(`^MSR ${MSR}: host ${VALUE} guest ${VALUE}${END}`);

function loadList(line: number, body: string): ObservedRecord | null {
  const [, index, named, host, guest] = LOAD_LIST.exec(body) ?? [];
  if (host === undefined || guest === undefined) return null;
  const record = new ObservedRecord(line, 'load_list');
  record.msr = Number.parseInt(index ?? named ?? '', 16);
  record.value = valueOfHex(host);
  record.guest = valueOfHex(guest);
  return record;
}

const NMI_HANDLER = new RegExp(
  String.raw`^([\w.]+)(?:\(\))? delta_ns: (\d{1,15}) handled: (\d{1,9})${END}`,
);

/** `handled` is the number of events that the handler found. */
function nmi(line: number, body: string): ObservedRecord | null {
  const [, handler, nanoseconds, handled] = NMI_HANDLER.exec(body) ?? [];
  if (handler === undefined) return null;
  const record = new ObservedRecord(line, 'nmi');
  record.name = handler;
  record.count = Number(nanoseconds);
  record.text = `handled: ${handled}`;
  record.context = 'nmi';
  return record;
}

const RAW_FIELDS = /^\w+=-?\w+(?:\s+\w+=-?\w+)*$/;
/** The option `fields` of newer kernels: `msr=0x3f1 (1009) val=0x1 (1) failed=0x0 (0)`. */
const BOTH_BASES = /^\w+=0x[0-9a-f]+ \(-?\d+\)(?:\s+\w+=0x[0-9a-f]+ \(-?\d+\))*$/;

function ofFields(line: number, name: string, body: string): ObservedRecord | null {
  const both = BOTH_BASES.test(body);
  if (!both && !RAW_FIELDS.test(body)) return null;
  const words = body.replace(/ \(-?\d+\)/g, '').split(/\s+/);
  const fields = new Map(words.map((field) => field.split('=') as [string, string]));
  const of = both
    ? fields
    : inOneBase(fields, name === 'kvm_msr' ? ['ecx', 'data'] : ['msr', 'val']);
  return of === null ? null : recordOfFields(line, name, of);
}

/**
 * `trace-cmd report -R` prints `msr=1009 val=16`, and newer versions `msr=3f1 val=10`: digits tell which it is, or that the
 * index is an MSR's in one base only. Null where they do not.
 */
function inOneBase(
  fields: Map<string, string>,
  hexadecimal: readonly [index: string, value: string],
): ReadonlyMap<string, string> | null {
  const [msr, value] = hexadecimal.map((name) => fields.get(name));
  const digits = `${msr}${value}`;
  if (msr === undefined || /[-x]/.test(digits)) return fields;
  const isHex = isKnown(msr, 16);
  if (!/[a-f]/.test(digits)) {
    if (isHex === isKnown(msr, 10)) return null;
    if (!isHex) return fields;
  }
  return new Map(
    [...fields].map(([name, said]) => [name, hexadecimal.includes(name) ? `0x${said}` : said]),
  );
}

const isKnown = (digits: string, base: 10 | 16): boolean =>
  nameOfIndex(Number.parseInt(digits, base)) !== null;
