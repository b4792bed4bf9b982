/**
 * The one place where engine values become JSON and back: 64-bit values, counter sets, counter names, addresses.
 * Invalid values are rejected here, naming the field.
 */

import type { AddressBook } from '../pmu/arch/address-book.js';
import {
  type CounterSet,
  counterBit,
  counterName,
  fromU64,
  toU64,
  type U64,
} from '../pmu/arch/counter-set.js';
import { fixedCtrlToU64 } from '../pmu/arch/fixed-ctrl.js';
import {
  COUNTER,
  DS_AREA,
  EVENTSEL,
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  GLOBAL_STATUS_RESET,
  msrIndex,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
} from '../pmu/arch/msr.js';
import { selectorToU64, statusToU64 } from '../pmu/arch/selector.js';
import { PEBS_UPDATE_DS_SW } from '../pmu/perf/data-cfg.js';
import { ProblemError, ruleViolated } from './problem-error.js';

/** A 64-bit value as clients send it: hex string, decimal string, or a safe JSON integer. */
export type U64Input = string | number;

const U64_MAX = 2n ** 64n - 1n;
const TWO_32 = 2 ** 32;

function outOfRange(pointer: string, detail: string): ProblemError {
  return new ProblemError('value_out_of_range', `${pointer} ${detail}.`, [{ pointer, detail }]);
}

/** Reads a 64-bit value; `pointer` is the JSON pointer of the field. */
export function parseU64(value: U64Input, pointer: string): U64 {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) {
      throw outOfRange(
        pointer,
        'is a JSON number above 2^53-1, which would be rounded: send it as a hex string',
      );
    }
    return { hi: Math.floor(value / TWO_32), lo: value % TWO_32 };
  }
  const wide = BigInt(value);
  if (wide > U64_MAX) {
    throw outOfRange(pointer, 'is above 2^64-1');
  }
  return { hi: Number(wide >> 32n), lo: Number(wide & 0xffffffffn) };
}

/** `0x` and 16 lower-case digits. */
export function formatU64({ hi, lo }: U64): string {
  return `0x${(hi >>> 0).toString(16).padStart(8, '0')}${(lo >>> 0).toString(16).padStart(8, '0')}`;
}

/** Reads a mask of counters; rejects bits that are neither counters nor bits of the PEBS and global control registers. */
export function parseCounterSet(value: U64Input, pointer: string): CounterSet {
  const { set, fits } = fromU64(parseU64(value, pointer));
  if (!fits) {
    throw outOfRange(
      pointer,
      'sets a bit that is not defined: the valid ones are 0 to 15, 32 to 42, 48, 58, 60, 61 and 63',
    );
  }
  return set;
}

export function formatCounterSet(set: CounterSet): string {
  return formatU64(toU64(set));
}

/** Reads a value of MSR_PEBS_DATA_CFG, whose defined bits are below 32; perf itself uses bit 63. */
export function parseDataCfg(value: U64Input, pointer: string): number {
  const { hi, lo } = parseU64(value, pointer);
  if (hi !== 0) {
    throw outOfRange(pointer, 'sets a bit above 31, where MSR_PEBS_DATA_CFG defines none');
  }
  if (lo & PEBS_UPDATE_DS_SW) {
    throw outOfRange(pointer, 'sets bit 6, which MSR_PEBS_DATA_CFG does not define');
  }
  return lo | 0;
}

export function formatDataCfg(value: number): string {
  return formatU64({
    hi: value & PEBS_UPDATE_DS_SW ? 0x80000000 : 0,
    lo: value & ~PEBS_UPDATE_DS_SW,
  });
}

/** Reads a list of counter names; the CPU has the counters in `available`. */
export function parseCounters(
  names: readonly string[] | undefined,
  available: CounterSet,
  pointer: string,
): CounterSet {
  let set: CounterSet = 0;
  (names ?? []).forEach((name, at) => {
    set |= 1 << parseCounter(name, available, `${pointer}/${at}`);
  });
  return set;
}

/** Reads one counter name as its bit. */
export function parseCounter(name: string, available: CounterSet, pointer: string): number {
  const bit = counterBit(name);
  if (bit === undefined || (available & (1 << bit)) === 0) {
    const detail = `names ${name}, which this CPU does not have`;
    throw ruleViolated(pointer, detail);
  }
  return bit;
}

/** A counter's name, or null for none. */
export function formatCounter(bit: number): string | null {
  return bit < 0 ? null : counterName(bit);
}

/** The value of an MSR as JSON; each kind of register is stored in its own form. */
export function formatMsrValue(msr: number, value: number, addresses: AddressBook): string {
  if (msr === DS_AREA) {
    return formatU64(addresses.valueOf(value));
  }
  if (msr === PEBS_DATA_CFG) {
    return formatDataCfg(value);
  }
  if (msr === FIXED_CTR_CTRL) {
    return formatU64(fixedCtrlToU64(value));
  }
  if (msr === GLOBAL_STATUS_RESET) {
    return formatU64(statusToU64(value));
  }
  if (msr >= EVENTSEL && msr < COUNTER) {
    return formatU64(selectorToU64(value));
  }
  return formatCounterSet(value);
}

/** `"0x3f1"`. */
export function formatMsrIndex(msr: number): string {
  return `0x${msrIndex(msr).toString(16)}`;
}

/** Whether an MSR's value is a set of counters, so that its bits have names. */
export function isCounterMsr(msr: number): boolean {
  return msr === GLOBAL_CTRL || msr === PEBS_ENABLE;
}
