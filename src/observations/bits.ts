/** Names of the bits of IA32_PEBS_ENABLE. */
import type { U64 } from '../pmu/arch/counter-set.js';

/** Since perfmon 5 bits 32 and up are fixed counters; before, they enable load latency on the general-purpose counters. */
export const FIXED_COUNTERS_SINCE = 5;

const SPECIAL: ReadonlyMap<number, string> = new Map([
  [48, 'PERF_METRICS'],
  [60, 'PEBS_PMI_AFTER_EACH_RECORD'],
  [61, 'PEBS_OUTPUT_PT'],
  [63, 'PEBS_PRECISE_STORE'],
]);

/** `["PMC0", "FIXED0"]`, lowest first. Where the PMU's version is not known, bits 32 and up have the names of fixed counters. */
export function bitNames(value: U64, pmuVersion: number | null): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit += 1) {
    const word = bit < 32 ? value.lo : value.hi;
    if ((word >>> (bit & 31)) & 1) names.push(bitName(bit, pmuVersion));
  }
  return names;
}

function bitName(bit: number, pmuVersion: number | null): string {
  if (bit < 16) return `PMC${bit}`;
  if (bit >= 32 && bit < 48) {
    const old = pmuVersion !== null && pmuVersion < FIXED_COUNTERS_SINCE;
    return old ? `LOAD_LATENCY_PMC${bit - 32}` : `FIXED${bit - 32}`;
  }
  return SPECIAL.get(bit) ?? `BIT${bit}`;
}

/** `0x1`: as a sentence prints a value. */
export function shortHex({ hi, lo }: U64): string {
  const digits = hi === 0 ? '' : hi.toString(16);
  return `0x${digits}${digits === '' ? lo.toString(16) : lo.toString(16).padStart(8, '0')}`;
}
