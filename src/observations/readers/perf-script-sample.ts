/** A line of `perf script`: task, CPU and time in whichever columns it was told to print, the event, and its body. */
import type { ObservedRecord } from '../record.js';
import { contextOfFlags } from './contexts.js';
import { recordOfBody } from './tracepoints.js';

/** Not `VM:13376 VCPU:003`, whose CPUs are a guest's. perf-prof puts the date before it, and flags behind the pid. `-F pid,tid` prints both, with a slash between. */
const TASK = String.raw`((?!VM:\d).{1,32}?)\s{1,16}(-?\d{1,10})(?:\/(\d{1,10}))?\s{1,16}(?:([a-zA-Z.][\w.]{3,7})\s{1,16})?`;
/** Threads without names, and names without threads: one that ends in a digit may be both. */
const THREAD = String.raw`(\d{1,10})(?:\/(\d{1,10}))?\s{1,16}`;
const COMM = String.raw`([^[]{0,15}?[^[\d\s:])\s{1,16}`;
const CPU = String.raw`(?:\[(\d{3,5})\]\s{1,24})?`;
/** `-F +misc`: the mode that the CPU was in. */
const MISC = String.raw`(?:[UKHGg]\S{0,4}\s{1,8})?`;
const HEAD = new RegExp(
  String.raw`^(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9})\s{1,32})?(?:${TASK}|${THREAD}|${COMM})?${CPU}${MISC}(\d{1,12}\.\d{6,9}):\s+(?:\d{1,20}\s+)?(\S+):(?:\s+(.*))?$`,
);
/** Without a time, only of systems whose events are read. */
const UNTIMED = new RegExp(
  String.raw`^()(?:${TASK}|${THREAD}|${COMM})?${CPU}${MISC}()((?:msr|kvm|nmi):\w+):(?:\s+(.*))?$`,
);

/** `-F +ip,sym` puts the function that called the tracepoint behind the body. */
const CALLER =
  / {1,2}[0-9a-f]{8,16} (?:\[unknown\]|[A-Za-z_][\w.]*)(?:\+0x[0-9a-f]+)?(?: \([^()\s]+\))?$/;

/** Letters behind the last colon of an event that is no tracepoint: `cycles:pp`. */
const MODIFIERS = /^[ukhIGHpPSDWeb]{1,8}$/;

function match(line: string): RegExpExecArray | null {
  const text = line.trimStart();
  return HEAD.exec(text) ?? (SYSTEM.test(text) ? UNTIMED.exec(text) : null);
}
const SYSTEM = /\b(?:msr|kvm|nmi):/;

/** An event with its system, as `msr:write_msr`, or with its modifiers. */
export const looksLikePerfScript = (line: string): boolean =>
  match(line)?.[EVENT]?.includes(':') === true;
const EVENT = 11;

/** The record of a line, or null where it is none, or its body is not as it should be. */
export function sampleOf(line: string, number: number): ObservedRecord | null {
  const found = match(line);
  if (found === null) return null;
  const [, wallClock, named, first, second, flags, process, thread, alone, cpu, at] = found;
  const [event = '', body = ''] = found.slice(EVENT);
  const record = recordOf(number, event, body.trimEnd().replace(CALLER, '').trimEnd());
  if (record === null) return null;
  record.cpu = cpu === undefined ? null : Number(cpu);
  record.at = at === undefined || at === '' ? null : at;
  record.comm = named ?? alone ?? null;
  record.pid = numberOf(second ?? first ?? thread ?? process);
  record.tgid = numberOf(
    second === undefined ? (thread === undefined ? undefined : process) : first,
  );
  if (record.context === 'unknown' && flags !== undefined) record.context = contextOfFlags(flags);
  if (wallClock !== undefined && wallClock !== '') record.attributes = { wall_clock: wallClock };
  return record;
}

/** perf prints -1 for what it does not know. */
function numberOf(digits: string | undefined): number | null {
  return digits === undefined || digits.startsWith('-') ? null : Number(digits);
}

function recordOf(line: number, event: string, body: string): ObservedRecord | null {
  const last = event.slice(event.lastIndexOf(':') + 1);
  return recordOfBody(line, MODIFIERS.test(last) ? event : last, body);
}
