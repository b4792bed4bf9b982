/**
 * The one place where engine values become JSON and back: 64-bit values, counter sets, counter names, addresses.
 * Invalid values are rejected here, naming the field. How values are printed is in model/values.ts, shared with stories.
 */

import type { ScriptAction } from '../../schemas/script.js';
import type { ScriptStep } from '../model/steps/step-kind.js';
import { readDataCfg, readU64 } from '../model/values.js';
import {
  type CounterSet,
  counterBit,
  counterName,
  fromU64,
  type U64,
} from '../pmu/arch/counter-set.js';
import { msrIndex } from '../pmu/arch/msr.js';
import { fieldRefused, ruleViolated } from './problem-error.js';

export {
  formatCounterSet,
  formatDataCfg,
  formatMsrValue,
  formatU64,
} from '../model/values.js';

/** A 64-bit value as clients send it: hex string, decimal string, or a safe JSON integer. */
export type U64Input = string | number;

/** Reads a 64-bit value; `pointer` is the JSON pointer of the field. */
export function parseU64(value: U64Input, pointer: string): U64 {
  return asRead(readU64(value), pointer);
}

/** What was read; or the problem that says why it cannot be. */
function asRead<Value>(value: Value | string, pointer: string): Value {
  if (typeof value === 'string') {
    throw fieldRefused('value_out_of_range', pointer, value);
  }
  return value;
}

/** Reads a mask of counters; rejects bits that are neither counters nor bits of the PEBS and global control registers. */
export function parseCounterSet(value: U64Input, pointer: string): CounterSet {
  const { set, fits } = fromU64(parseU64(value, pointer));
  if (!fits) {
    const detail =
      'sets a bit that is not defined: the valid ones are 0 to 15, 32 to 42, 48, 58, 60, 61 and 63';
    throw fieldRefused('value_out_of_range', pointer, detail);
  }
  return set;
}

export function parseDataCfg(value: U64Input, pointer: string): number {
  return asRead(readDataCfg(value), pointer);
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
    throw ruleViolated(pointer, `names ${name}, which this CPU does not have`);
  }
  return bit;
}

/** A counter's name, or null for none. */
export function formatCounter(bit: number): string | null {
  return bit < 0 ? null : counterName(bit);
}

/** What the model writes is a script; the schema of the answer, and the tests that replay it, hold it to that. */
export function scriptActions(steps: readonly ScriptStep[]): ScriptAction[] {
  return steps as unknown as ScriptAction[];
}

/** `"0x3f1"`. */
export function formatMsrIndex(msr: number): string {
  return `0x${msrIndex(msr).toString(16)}`;
}
