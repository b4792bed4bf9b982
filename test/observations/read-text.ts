/** What a reader makes of a text, in a form that is easy to compare. */
import { formatU64 } from '../../src/model/values.js';
import { Lines, type Piece } from '../../src/observations/lines.js';
import { type KeptRecord, kept, type MakeReader } from '../../src/observations/record.js';

export interface Read {
  readonly records: KeptRecord[];
  readonly rejected: { readonly line: number; readonly reason: string }[];
}

export function readPieces(make: MakeReader, pieces: Iterable<string | Piece>): Read {
  const read: Read = { records: [], rejected: [] };
  const reader = make({
    record: (record) => read.records.push(kept(record)),
    reject: (line, reason) => read.rejected.push({ line, reason }),
    fact: () => {},
    refuse: () => {},
  });
  const lines = new Lines({
    line: (text, number) => reader.line(text, number),
    common: (piece, start, number) => reader.common?.(piece, start, number) ?? -1,
    tooLong: (line) => read.rejected.push({ line, reason: 'too long' }),
  });
  for (const piece of pieces) lines.write(piece);
  reader.end();
  return read;
}

export const readText = (make: MakeReader, text: string): Read => readPieces(make, [text]);

/** One record in a line: `13 cpu3 900.100001 task vm_entry vcpu=0 CPU 0/KVM-4242`. */
export function shown(record: KeptRecord): string {
  const hex = (value: KeptRecord['value']) =>
    formatU64(value!)
      .slice(2)
      .replace(/^0+(?=.)/, '');
  const parts = [
    record.line,
    record.cpu === null ? 'cpu?' : `cpu${record.cpu}`,
    record.at ?? '-',
    record.context,
    record.kind,
    record.msr === null ? '' : record.msr.toString(16),
    record.value === null ? '' : `=${hex(record.value)}`,
    record.guest === null ? '' : `guest=${hex(record.guest)}`,
    record.writes ? 'writes' : '',
    record.refused ? 'refused' : '',
    record.vcpu === null ? '' : `vcpu=${record.vcpu}`,
    record.count === null ? '' : `count=${record.count}`,
    record.name ?? '',
    record.text === null ? '' : `(${record.text})`,
    record.writer === null ? '' : `by ${record.writer}`,
    record.comm === null && record.pid === null ? '' : `${record.comm}-${record.pid}`,
    record.tgid === null ? '' : `tgid=${record.tgid}`,
    record.attributes === null ? '' : JSON.stringify(record.attributes),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** Records as `shown`, rejects as `6 rejected`, by line. */
export function shownAll({ records, rejected }: Read): string[] {
  return [...records.map(shown), ...rejected.map(({ line }) => `${line} rejected`)].sort(
    (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
  );
}
