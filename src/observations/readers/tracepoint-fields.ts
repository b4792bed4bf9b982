/** Trace events as named fields, decimal unless they begin with 0x: `trace-cmd report -R` and `perf trace` print them so. */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { indexOfLinuxName } from '../msr-names.js';
import { ObservedRecord } from '../record.js';
import { valueOfDecimal, valueOfHex, ZERO } from '../value.js';

export type Fields = ReadonlyMap<string, string>;

/** Whether a field that is not printed is zero. */
export interface FieldOptions {
  readonly zerosOmitted?: boolean;
}

/** The record of an event, or null where a field is missing or no number. */
export function recordOfFields(
  line: number,
  name: string,
  fields: Fields,
  { zerosOmitted = false }: FieldOptions = {},
): ObservedRecord | null {
  const text = (field: string) => fields.get(field) ?? (zerosOmitted ? '0' : undefined);
  const value = (field: string) => value64Of(text(field));
  const small = (field: string) => smallOf(text(field));
  switch (name) {
    case 'write_msr':
    case 'read_msr':
      return access(
        new ObservedRecord(line, name === 'write_msr' ? 'write' : 'reading'),
        text('msr'),
        value('val'),
        isSet(fields.get('failed')),
      );
    case 'kvm_msr': {
      const record = new ObservedRecord(line, 'guest_access');
      record.writes = small('write') === 1;
      return access(record, text('ecx'), value('data'), isSet(fields.get('exception')));
    }
    case 'rdpmc': {
      const record = new ObservedRecord(line, 'counter_read');
      record.count = small('msr');
      record.value = value('val');
      return record.count === null || record.value === null ? null : record;
    }
    case 'kvm_entry': {
      const record = new ObservedRecord(line, 'vm_entry');
      record.vcpu = small('vcpu_id');
      return record.vcpu === null ? null : record;
    }
    case 'kvm_exit': {
      const record = new ObservedRecord(line, 'vm_exit');
      record.vcpu = small('vcpu_id');
      record.name = text('exit_reason') ?? null;
      return record.name === null ? null : record;
    }
    default:
      return null;
  }
}

/** An MSR that is named, but not in our tables, is a null index and the name as text. */
function access(
  record: ObservedRecord,
  msr: string | undefined,
  value: U64 | null,
  refused: boolean,
): ObservedRecord | null {
  if (msr === undefined || value === null) return null;
  record.msr = smallOf(msr) ?? indexOfLinuxName(`MSR_${msr}`) ?? indexOfLinuxName(msr);
  if (record.msr === null) {
    if (!/^[A-Z]\w*$/.test(msr)) return null;
    record.text = msr;
  }
  record.refused = refused;
  if (!refused || record.kind === 'write' || record.writes) record.value = value;
  return record;
}

const isSet = (text: string | undefined): boolean =>
  text !== undefined && !/^0(?:x0+)?$/.test(text);

function smallOf(text: string | undefined): number | null {
  const value = value64Of(text);
  return value === null || value.hi !== 0 ? null : value.lo;
}

/** What has bit 63 may be printed as a negative number. */
function value64Of(text: string | undefined): U64 | null {
  if (text === undefined) return null;
  if (/^0x/i.test(text)) return valueOfHex(text.slice(2));
  if (!text.startsWith('-')) return valueOfDecimal(text);
  const positive = valueOfDecimal(text.slice(1));
  return positive === null || positive.hi > 0x8000_0000 ? null : negated(positive);
}

function negated({ hi, lo }: U64): U64 {
  if (hi === 0 && lo === 0) return ZERO;
  return { hi: (~hi + (lo === 0 ? 1 : 0)) >>> 0, lo: -lo >>> 0 };
}
