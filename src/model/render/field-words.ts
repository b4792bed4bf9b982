/** The value of any field of a machine in words, by its kind: what stories and the state browser show. */
import { counterName, counterNames } from '../../pmu/arch/counter-set.js';
import {
  DS_AREA,
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  msrName,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
  switchedIn,
} from '../../pmu/arch/msr.js';
import { DS_BUFFER_OVERFLOW } from '../../pmu/arch/selector.js';
import type { Field, Kind } from '../../pmu/fields/field.js';
import type { PlacedField } from '../../pmu/fields/record.js';
import { type RecordInState, recordsOf } from '../../pmu/machine/records.js';
import { FIXED_CTRL_READ, TAGS } from '../../pmu/perf/cpu-hw-events.js';
import type { ExploredWorld } from '../explored-world.js';
import { eventName, vcpuName } from '../steps/names.js';
import { formatMsrValue } from '../values.js';

/** More bits than these are shown as a number. */
const BITS_NAMED = 4;

/** One value of a record: a field, or a place of a field that is an array. */
export interface Item {
  readonly field: PlacedField;
  /** Its word in the record. */
  readonly at: number;
  /** Its name, with the MSR's where the field is a list or a load area. */
  readonly name: string;
  /** Of its value. */
  readonly kind: Kind;
  /** Of an entry in a list or a load area: the word that says which MSRs are there, and this one's bit. */
  readonly listing: { readonly at: number; readonly bit: number } | null;
}

/** What a value of a list or a load area is, by MSR code. */
const KIND_OF_MSR: Readonly<Record<number, Kind>> = {
  [GLOBAL_CTRL]: 'global_ctrl',
  [DS_AREA]: 'address',
  [PEBS_DATA_CFG]: 'data_cfg',
  [PEBS_ENABLE]: 'counters',
};

const SETS: ReadonlySet<Kind> = new Set(['counters', 'global_ctrl', 'guest_counters', 'msrs']);

/** Every value of a record, in the order of its words. */
function itemsOf({ fields }: RecordInState): Item[] {
  return fields.flatMap((field): Item[] => {
    const { kind, name, at, length } = field;
    if (kind === 'msr_values' || kind === 'area_values') {
      const listing = fields.find((other) => other.kind === 'msrs' && isBeside(other, field))!;
      return switchedIn().map((msr) => ({
        field,
        at: at + msr,
        name: `${name}, ${msrName(msr)}`,
        kind: KIND_OF_MSR[msr]!,
        listing: { at: listing.at, bit: 1 << msr },
      }));
    }
    return Array.from({ length: length ?? 1 }, (_, nth) => ({
      field,
      at: at + nth,
      name: length === undefined ? name : `${name} ${nth}`,
      kind,
      listing: null,
    }));
  });
}

/** Whether two fields are of the same part of a record. */
function isBeside(one: PlacedField, other: PlacedField): boolean {
  const partOf = ({ path }: PlacedField): string => path.slice(0, path.lastIndexOf('.') + 1);
  return partOf(one) === partOf(other);
}

/** Whether a value is there: one of a list or a load area may not be. */
export function isThere({ listing }: Item, words: Int32Array): boolean {
  return listing === null || (words[listing.at]! & listing.bit) !== 0;
}

/** The bits that came and went, as `+PMC1 -PMC0`; null where the value is no set, or too many bits changed. */
export function bitsChanged(item: Item, before: Int32Array, after: Int32Array): string | null {
  if (!SETS.has(item.kind) || !isThere(item, before) || !isThere(item, after)) {
    return null;
  }
  const from = before[item.at]!;
  const to = after[item.at]!;
  const signed = (sign: string, set: number): string[] =>
    bitNames(item.kind, set).map((name) => `${sign}${name}`);
  const changed = [...signed('+', to & ~from), ...signed('-', from & ~to)];
  return changed.length > BITS_NAMED ? null : changed.join(' ');
}

function bitNames(kind: Kind, set: number): string[] {
  if (kind === 'msrs') {
    return switchedIn(set).map(msrName);
  }
  if (kind === 'guest_counters' && set & DS_BUFFER_OVERFLOW) {
    return [...counterNames(set & ~DS_BUFFER_OVERFLOW), 'bit 62'];
  }
  return counterNames(set);
}

/** A record of the world's states with its values. */
export interface Part {
  readonly record: RecordInState;
  readonly items: readonly Item[];
}

export class FieldWords {
  readonly parts: readonly Part[];

  constructor(private readonly explored: ExploredWorld) {
    this.parts = recordsOf(explored.initial).map((record) => ({ record, items: itemsOf(record) }));
  }

  /** What people call the part of the machine that a record is of; nothing for the machine itself. */
  partName({ kind, index }: Pick<RecordInState, 'kind' | 'index'>): string {
    const names = {
      machine: '',
      cpu: `cpu${index}`,
      vcpu: vcpuName(this.explored, index),
      event: eventName(this.explored, index),
    };
    return names[kind];
  }

  /** The value of an item of a record. */
  item(item: Item, words: Int32Array): string {
    return isThere(item, words) ? this.value(item.kind, words[item.at]!, item.field) : 'not listed';
  }

  /** The value as Linux writes it to a register, where it is one. */
  exact(kind: Kind, value: number, field: Pick<Field, 'names'> = {}): string {
    const isSet = kind === 'counters' || kind === 'global_ctrl';
    return isSet ? this.msr(GLOBAL_CTRL, value) : this.value(kind, value, field);
  }

  value(kind: Kind, value: number, { names }: Pick<Field, 'names'> = {}): string {
    switch (kind) {
      case 'counters':
      case 'global_ctrl':
      case 'guest_counters':
      case 'msrs':
        return this.set(kind, value);
      case 'fixed_ctrl':
        // The flag tells a 0 that was read from nothing.
        return value === 0 ? '0' : this.msr(FIXED_CTR_CTRL, value & ~FIXED_CTRL_READ);
      case 'data_cfg':
        return value === 0 ? '0' : this.msr(PEBS_DATA_CFG, value);
      case 'address':
        return value === 0 ? '0' : this.msr(DS_AREA, value);
      case 'counter':
        return value < 0 ? 'none' : counterName(value);
      case 'vcpu':
        return value < 0 ? 'none' : vcpuName(this.explored, value);
      case 'msr_order':
        return msrName(value);
      case 'tag':
        return value < 0 ? 'none' : `use ${value % TAGS} on CPU ${Math.floor(value / TAGS)}`;
      case 'position':
        return value < 0 ? 'none' : String(value);
      default:
        return names?.[value] ?? String(value);
    }
  }

  /** As Linux writes it. */
  private msr(code: number, value: number): string {
    return formatMsrValue(code, value, this.explored.host.addresses);
  }

  private set(kind: Kind, value: number): string {
    const names = bitNames(kind, value);
    return names.length > BITS_NAMED && kind !== 'msrs'
      ? this.msr(GLOBAL_CTRL, value)
      : names.join('+') || '0';
  }
}
