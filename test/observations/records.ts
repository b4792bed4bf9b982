/** Records made by hand, for tests of the rules. */

import { FactsBook } from '../../src/observations/facts-book.js';
import { ObservedRecord, type RecordKind } from '../../src/observations/record.js';
import type { Finding } from '../../src/observations/rules/finding.js';
import { Judge } from '../../src/observations/rules/judge.js';
import { type Judgement, judgement } from '../../src/observations/rules/verdict.js';
import { valueOfHex } from '../../src/observations/value.js';
import type { U64 } from '../../src/pmu/arch/counter-set.js';

export const PEBS_ENABLE = 0x3f1;

type Fields = Partial<Omit<ObservedRecord, 'line' | 'kind' | 'value' | 'guest' | 'known'>> & {
  readonly value?: string;
  readonly guest?: string;
  readonly known?: string;
};

/** A kind and what differs from an empty record. Values are hexadecimal digits. */
export type Entry = readonly [kind: RecordKind, fields?: Fields];

const hex = (digits: string | undefined): U64 | null =>
  digits === undefined ? null : valueOfHex(digits);

/** One record a line. */
export function record([kind, fields = {}]: Entry, line: number): ObservedRecord {
  const { value, guest, known, ...rest } = fields;
  return Object.assign(new ObservedRecord(line, kind), rest, {
    value: hex(value),
    guest: hex(guest),
    known: hex(known),
  });
}

export interface JudgeOptions {
  readonly facts?: Readonly<Record<string, string>>;
  readonly cut?: boolean;
}

export function judge(entries: readonly Entry[], options: JudgeOptions = {}): Judgement {
  const facts = new FactsBook(options.facts ?? {});
  const judge = new Judge(facts);
  for (const [i, entry] of entries.entries()) judge.record(record(entry, i + 1));
  return judgement(judge, facts, options.cut ?? false);
}

/** `R1 stuck 3 PMC0 [1,2,3]`. */
export const brief = ({ rule, verdict, cpu, bits, lines }: Finding): string =>
  `${rule} ${verdict} ${cpu ?? '-'} ${bits.join('+') || '-'} [${lines.join(',')}]`;

export const findingsOf = ({ findings }: Judgement): string[] => findings.map(brief);

export const verdictsOf = ({ cpus }: Judgement): Record<number, string> =>
  Object.fromEntries(cpus.map(({ cpu, verdict }) => [cpu, verdict]));

export const entry = (cpu: number | null = 3): Entry => ['vm_entry', { cpu, at: '10.1', vcpu: 0 }];
export const exit = (cpu: number | null = 3): Entry => ['vm_exit', { cpu, at: '10.2', vcpu: 0 }];

export const write = (
  value: string,
  context: ObservedRecord['context'],
  fields: Fields = {},
): Entry => ['write', { cpu: 3, msr: PEBS_ENABLE, value, context, ...fields }];

export const read = (value: string, fields: Fields = {}): Entry => [
  'reading',
  { cpu: 3, msr: PEBS_ENABLE, value, ...fields },
];

export const snapshot = (ts: string, attributes: Record<string, string> = {}): Entry => [
  'snapshot',
  { attributes: { pebs_events: '0', ts: `2026-11-20T10:00:${ts}Z`, ...attributes } },
];

/** A dump of perf_event_print_debug(): IA32_PEBS_ENABLE and perf's active_mask. */
export const dump = (pebs: string, active: string, cpu = 3): Entry[] => [
  ['reading', { cpu, msr: 0x38f, value: 'f', name: 'ctrl' }],
  ['reading', { cpu, msr: PEBS_ENABLE, value: pebs, name: 'pebs' }],
  ['active_mask', { cpu, value: active, name: 'active' }],
];
