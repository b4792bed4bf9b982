/**
 * Stored trace entries, about fifty bytes a micro-step. The newest are stored with the host as its tail; a tail that has grown
 * becomes a chunk, so that not every step adds a row.
 */
import { TRACE_MAX, type TraceEntry } from '../../pmu/stepping/run.js';
import type { TraceChunk } from '../../store/host-store.js';

/** How many entries a tail may have. */
const TAIL_MAX = 96;

/** The newest entries of a host's trace, as text. */
export interface TraceTail {
  /** Index of the newest entry in a chunk. */
  readonly after: number;
  readonly entries: number;
  /** JSON arrays, separated by commas. */
  readonly text: string;
}

export const NO_TAIL: TraceTail = { after: 0, entries: 0, text: '' };

/** The fields of an entry in order; vCPU -1 is none; four fields for each write. */
type Row = [number, number, number, TraceEntry['actor'], string, ...(number | string)[]];

/** The tail with the new entries appended. */
export function withEntries(tail: TraceTail, added: readonly TraceEntry[]): TraceTail {
  const rows = added.slice(-TRACE_MAX).map((entry) => JSON.stringify(row(entry)));
  if (rows.length === 0) return tail;
  const older = tail.entries === 0 || rows.length === TRACE_MAX ? [] : [tail.text];
  const entries = older.length === 0 ? rows.length : tail.entries + rows.length;
  return { after: tail.after, entries, text: [...older, ...rows].join(',') };
}

/** The chunk to make of a long tail; `last` is the index of its newest entry. Null while it may stay a tail. */
export function chunkOf({ entries, text }: TraceTail, last: number): TraceChunk | null {
  if (entries <= TAIL_MAX) return null;
  return { lastIndex: last, forgetTo: last - TRACE_MAX, entries: text };
}

export function readTrace(texts: readonly string[]): TraceEntry[] {
  return texts.flatMap((text) => (JSON.parse(`[${text}]`) as Row[]).map(entry));
}

function row({ index, cpu, vcpu, actor, at, writes }: TraceEntry): Row {
  const row: Row = [index, cpu, vcpu ?? -1, actor, at];
  for (const { msr, via, value, row: source } of writes) row.push(msr, via, value, source);
  return row;
}

function entry([index, cpu, vcpu, actor, at, ...rest]: Row): TraceEntry {
  const writes = [];
  for (let n = 0; n < rest.length; n += 4) {
    const [msr, via, value, source] = rest.slice(n, n + 4) as [number, number, number, string];
    writes.push({ msr, via, value, row: source });
  }
  return { index, cpu, vcpu: vcpu < 0 ? undefined : vcpu, actor, at, writes };
}
