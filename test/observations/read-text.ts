/** What a reader makes of a text, in a form that is easy to compare. */
import { formatU64 } from '../../src/model/values.js';
import { Lines } from '../../src/observations/lines.js';
import type { MakeReader, ObservedRecord } from '../../src/observations/record.js';

export interface Read {
  readonly records: ObservedRecord[];
  readonly rejected: { readonly line: number; readonly reason: string }[];
}

/** A piece of a text, with the bytes it was decoded from if it is to be read fast. */
export interface TextPiece {
  readonly text: string;
  readonly bytes?: Uint8Array;
}

export function readPieces(make: MakeReader, pieces: readonly TextPiece[]): Read {
  const read: Read = { records: [], rejected: [] };
  const reader = make({
    record: (record) => read.records.push({ ...record }),
    reject: (line, reason) => read.rejected.push({ line, reason }),
    fact: () => {},
    refuse: () => {},
  });
  const lines = new Lines({
    line: (text, number) => reader.line(text, number),
    common: (piece, start, end, number) => reader.common?.(piece, start, end, number) ?? false,
    tooLong: (line) => read.rejected.push({ line, reason: 'too long' }),
  });
  for (const { text, bytes } of pieces) lines.write(text, bytes);
  reader.end();
  return read;
}

export const readText = (make: MakeReader, text: string): Read => readPieces(make, [{ text }]);

/** One record in a line: `13 cpu3 900.100001 task vm_entry vcpu=0 CPU 0/KVM-4242`. */
export function shown(record: ObservedRecord): string {
  const hex = (value: ObservedRecord['value']) =>
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
