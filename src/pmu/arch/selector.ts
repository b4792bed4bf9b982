/**
 * IA32_PERFEVTSELx and IA32_PERF_GLOBAL_STATUS_RESET as small integers: what does not fit into 32 bits has bit 31.
 *
 * Models: SDM vol. 3, "Architectural performance monitoring" and "Adaptive PEBS".
 */
import { type CounterSet, toU64, type U64 } from './counter-set.js';

const USR_AND_OS = 0x30000;
const INT = 0x100000;
const ENABLE = 0x400000;
/** Stands for bit 34 of a selector (adaptive PEBS records). */
const ADAPTIVE = 1 << 31;
/** Stands for bit 62 of the global status: the DS buffer has reached its threshold. */
export const DS_BUFFER_OVERFLOW: CounterSet = 1 << 31;

/** A selector as perf writes it: a PEBS event raises no interrupt of its own. */
export function selector(
  eventCode: number,
  pebs: boolean,
  adaptive: boolean,
  enable: boolean,
): number {
  return (
    eventCode |
    USR_AND_OS |
    (pebs ? 0 : INT) |
    (enable ? ENABLE : 0) |
    (pebs && adaptive ? ADAPTIVE : 0)
  );
}

export function selectorToU64(value: number): U64 {
  return { hi: value & ADAPTIVE ? 4 : 0, lo: value & ~ADAPTIVE };
}

export function statusToU64(value: number): U64 {
  const { hi, lo } = toU64(value & ~DS_BUFFER_OVERFLOW);
  return { hi: (hi | (value & DS_BUFFER_OVERFLOW ? 0x40000000 : 0)) >>> 0, lo };
}
