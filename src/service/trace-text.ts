/** Trace entries as they are stored: a micro-step takes some fifty bytes. */
import { TRACE_MAX, type TraceEntry } from '../pmu/live/run.js';
import type { TraceChunk } from '../store/host-store.js';

/** An entry's fields in order; a vCPU of -1 is none; four fields for each write. */
type Row = [number, number, number, TraceEntry['actor'], string, ...(number | string)[]];

/** The newest entries of one or more runs, oldest first; null where there are none. */
export function traceChunk(entries: readonly TraceEntry[]): TraceChunk | null {
  const newest = entries.slice(-TRACE_MAX);
  const last = newest.at(-1);
  if (last === undefined) return null;
  return {
    lastIndex: last.index,
    forgetTo: last.index - TRACE_MAX,
    entries: JSON.stringify(newest.map(row)),
  };
}

export function readTrace(chunks: readonly string[]): TraceEntry[] {
  return chunks.flatMap((chunk) => (JSON.parse(chunk) as Row[]).map(entry));
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
