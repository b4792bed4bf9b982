/** Engine values as text and back: 64-bit values in hex, whatever form they have inside. */
import type { AddressBook } from '../pmu/arch/address-book.js';
import { type CounterSet, toU64, type U64 } from '../pmu/arch/counter-set.js';
import { fixedCtrlToU64 } from '../pmu/arch/fixed-ctrl.js';
import {
  COUNTER,
  DS_AREA,
  EVENTSEL,
  FIXED_CTR_CTRL,
  GLOBAL_STATUS_RESET,
  msrName,
  PEBS_DATA_CFG,
  VIA_NAMES,
} from '../pmu/arch/msr.js';
import { selectorToU64, statusToU64 } from '../pmu/arch/selector.js';
import type { MsrWrite } from '../pmu/arch/write-sink.js';
import { PEBS_UPDATE_DS_SW } from '../pmu/perf/data-cfg.js';

const TWO_32 = 2 ** 32;

/** Reads a hex string, a decimal string or a number; where it has no 64-bit value, says why not. */
export function readU64(value: string | number): U64 | string {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value)
      ? { hi: Math.floor(value / TWO_32), lo: value % TWO_32 }
      : 'is a JSON number above 2^53-1, which is rounded on the way: send it as a hex string';
  }
  const radix = value.startsWith('0x') ? 16 : 10;
  let hi = 0;
  let lo = 0;
  for (const digit of radix === 16 ? value.slice(2) : value) {
    const wide = lo * radix + Number.parseInt(digit, radix);
    lo = wide % TWO_32;
    hi = hi * radix + Math.floor(wide / TWO_32);
  }
  return hi < TWO_32 ? { hi, lo } : 'is above 2^64-1';
}

/** Reads a value of MSR_PEBS_DATA_CFG, whose defined bits are below 32; one of the others stands for perf's own bit 63. */
export function readDataCfg(value: string | number): number | string {
  const read = readU64(value);
  if (typeof read === 'string') {
    return read;
  }
  if (read.hi !== 0) {
    return 'sets a bit above 31, and MSR_PEBS_DATA_CFG defines none';
  }
  return read.lo & PEBS_UPDATE_DS_SW
    ? 'sets bit 6, which MSR_PEBS_DATA_CFG does not define'
    : read.lo | 0;
}

/** `0x` and 16 lower-case digits. */
export function formatU64({ hi, lo }: U64): string {
  return `0x${(hi >>> 0).toString(16).padStart(8, '0')}${(lo >>> 0).toString(16).padStart(8, '0')}`;
}

export function formatCounterSet(set: CounterSet): string {
  return formatU64(toU64(set));
}

export function formatDataCfg(value: number): string {
  return formatU64(dataCfgToU64(value));
}

function dataCfgToU64(value: number): U64 {
  return { hi: value & PEBS_UPDATE_DS_SW ? 0x80000000 : 0, lo: value & ~PEBS_UPDATE_DS_SW };
}

/** The value of an MSR: each kind of register has its own form inside. */
export function u64OfMsr(msr: number, value: number, addresses: AddressBook): U64 {
  switch (msr) {
    case DS_AREA:
      return addresses.valueOf(value);
    case PEBS_DATA_CFG:
      return dataCfgToU64(value);
    case FIXED_CTR_CTRL:
      return fixedCtrlToU64(value);
    case GLOBAL_STATUS_RESET:
      return statusToU64(value);
    default:
      return msr >= EVENTSEL && msr < COUNTER ? selectorToU64(value) : toU64(value);
  }
}

/** The value of an MSR as JSON. */
export function formatMsrValue(msr: number, value: number, addresses: AddressBook): string {
  return formatU64(u64OfMsr(msr, value, addresses));
}

/** An MSR write as JSON. */
export interface WriteItem {
  msr: string;
  via: (typeof VIA_NAMES)[number];
  value: string;
  row: string;
}

export function writeItems(writes: readonly MsrWrite[], addresses: AddressBook): WriteItem[] {
  return writes.map(({ msr, via, value, row }) => ({
    msr: msrName(msr),
    via: VIA_NAMES[via]!,
    value: formatMsrValue(msr, value, addresses),
    row,
  }));
}
