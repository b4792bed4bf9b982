/** A line of `perf script`: task, CPU and time in whichever columns it was told to print, the event, and its body. */
import type { ObservedRecord } from '../record.js';
import { contextOfFlags } from './contexts.js';
import { recordOfBody } from './tracepoints.js';

/** perf-prof puts the date before it, and flags behind the pid. `-F pid,tid` prints both, with a slash between. */
const TASK = String.raw`(.{1,32}?)\s{1,16}(-?\d{1,10})(?:\/(\d{1,10}))?\s{1,16}(?:([a-zA-Z.][\w.]{3,7})\s{1,16})?`;
const HEAD = new RegExp(
  String.raw`^(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9})\s{1,32})?(?:${TASK})?(?:\[(\d{3,5})\]\s{1,24})?(\d{1,12}\.\d{6,9}):\s+(?:\d{1,20}\s+)?(\S+):(?:\s+(.*))?$`,
);

/** Letters behind the last colon of an event that is no tracepoint: `cycles:pp`. */
const MODIFIERS = /^[ukhIGHpPSDWeb]{1,8}$/;

/** An event with its system, as `msr:write_msr`, or with its modifiers. */
export const looksLikePerfScript = (line: string): boolean =>
  HEAD.exec(line.trimStart())?.[8]?.includes(':') === true;

/** The record of a line, or null where it is none, or its body is not as it should be. */
export function sampleOf(line: string, number: number): ObservedRecord | null {
  const match = HEAD.exec(line.trimStart());
  if (match === null) return null;
  const [, wallClock, comm, first, second, flags, cpu, at, event = '', body = ''] = match;
  const record = recordOf(number, event, body.trimEnd());
  if (record === null) return null;
  record.cpu = cpu === undefined ? null : Number(cpu);
  record.at = at ?? null;
  record.comm = comm ?? null;
  record.pid = numberOf(second ?? first);
  record.tgid = second === undefined ? null : numberOf(first);
  if (record.context === 'unknown' && flags !== undefined) record.context = contextOfFlags(flags);
  if (wallClock !== undefined) record.attributes = { wall_clock: wallClock };
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
