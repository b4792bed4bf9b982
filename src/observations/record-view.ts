/** A record as JSON: only what the line says. */

import { formatU64 } from '../model/values.js';
import { nameOfIndex } from './msr-names.js';
import type { Context, KeptRecord, RecordKind } from './record.js';

export interface RecordView {
  readonly line: number;
  readonly kind: RecordKind;
  /** null: the line does not name one. */
  readonly cpu: number | null;
  readonly at: string | null;
  readonly context: Context;
  /** The SDM's name, or `0x…` where the SDM has none. */
  readonly msr?: string;
  /** `0x` and 16 digits. */
  readonly value?: string;
  readonly guest?: string;
  readonly known_mask?: string;
  readonly refused?: true;
  /** Of a guest_access. */
  readonly access?: 'read' | 'write';
  readonly comm?: string;
  readonly pid?: number;
  readonly tgid?: number;
  readonly vcpu?: number;
  readonly writer?: string;
  readonly count?: number;
  readonly name?: string;
  readonly result?: NonNullable<KeptRecord['result']>;
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

export function recordView(record: KeptRecord): RecordView {
  const { line, kind, cpu, at, context, msr, value, guest, known } = record;
  return {
    line,
    kind,
    cpu,
    at,
    context,
    ...(msr !== null && { msr: msrWord(msr) }),
    ...(value !== null && { value: formatU64(value) }),
    ...(guest !== null && { guest: formatU64(guest) }),
    ...(known !== null && { known_mask: formatU64(known) }),
    ...(record.refused && { refused: true as const }),
    ...(kind === 'guest_access' && {
      access: record.writes ? ('write' as const) : ('read' as const),
    }),
    ...present(record),
  };
}

const OPTIONAL = [
  'comm',
  'pid',
  'tgid',
  'vcpu',
  'writer',
  'count',
  'name',
  'result',
  'text',
  'attributes',
] as const;

function present(record: KeptRecord): Pick<RecordView, (typeof OPTIONAL)[number]> {
  return Object.fromEntries(
    OPTIONAL.filter((name) => record[name] !== null).map((name) => [name, record[name]]),
  );
}

const msrWord = (index: number): string => nameOfIndex(index) ?? `0x${index.toString(16)}`;
