/**
 * Stored trace entries, about fifty bytes a micro-step. The newest are stored with the host as its tail; a tail that has grown
 * becomes a chunk, so that not every step adds a row.
 */
import { INVARIANTS, invariantsIn } from '../../pmu/invariants/index.js';
import { type Changes, isOfInvariants } from '../../pmu/stepping/frame.js';
import { type GuestWrmsr, TRACE_MAX, type TraceEntry } from '../../pmu/stepping/run.js';
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

/** Changes as stored: masks of invariants by name, since other versions have others. */
type StoredChanges = readonly (number | readonly string[])[];

/**
 * The fields of an entry in order; vCPU -1 is none; then what it changed and, if anything, what it missed, and four fields
 * for each write. Entries of earlier versions have no changes. That of a guest's WRMSR has what it missed in any case, and then
 * the WRMSR.
 */
type Row = [number, number, number, TraceEntry['actor'], string, ...Rest];
type Rest = (number | string | StoredChanges)[];
/** The MSR, the halves of the value, and 1 if it takes a #GP. */
type StoredWrmsr = readonly [number, number, number, number];

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

function row({
  index,
  cpu,
  vcpu,
  actor,
  at,
  writes,
  changes,
  missed,
  guestWrite,
}: TraceEntry): Row {
  const row: Row = [index, cpu, vcpu ?? -1, actor, at];
  if (changes !== undefined) row.push(storedChanges(changes));
  if (missed.length > 0 || guestWrite) row.push(storedChanges(missed));
  if (guestWrite) row.push(storedWrmsr(guestWrite));
  for (const { msr, via, value, row: source } of writes) row.push(msr, via, value, source);
  return row;
}

function entry([index, cpu, vcpu, actor, at, ...rest]: Row): TraceEntry {
  const [changes, missed, wrmsr] = rest.filter((field) => typeof field === 'object');
  const fields = rest.filter((field) => typeof field !== 'object');
  const writes = [];
  for (let n = 0; n < fields.length; n += 4) {
    const [msr, via, value, row] = fields.slice(n, n + 4) as [number, number, number, string];
    writes.push({ msr, via, value, row });
  }
  return {
    index,
    cpu,
    vcpu: vcpu < 0 ? undefined : vcpu,
    actor,
    at,
    writes,
    changes: changes && readChanges(changes),
    missed: readChanges(missed ?? []),
    ...(wrmsr && { guestWrite: readWrmsr(wrmsr as StoredWrmsr) }),
  };
}

function storedWrmsr({ msr, value: { hi, lo }, refused }: GuestWrmsr): StoredWrmsr {
  return [msr, hi, lo, Number(refused)];
}

function readWrmsr([msr, hi, lo, refused]: StoredWrmsr): GuestWrmsr {
  return { msr, value: { hi, lo }, refused: refused !== 0 };
}

function storedChanges(changes: Changes): StoredChanges {
  return changes.map((field, at) => {
    const isMask = at % 2 === 1 && isOfInvariants(changes[at - 1]!);
    return isMask ? invariantsIn(field) : field;
  });
}

function readChanges(stored: StoredChanges): Changes {
  return stored.map((field) =>
    typeof field === 'number'
      ? field
      : INVARIANTS.reduce(
          (mask, { id }, nth) => (field.includes(id) ? mask | (1 << nth) : mask),
          0,
        ),
  );
}
