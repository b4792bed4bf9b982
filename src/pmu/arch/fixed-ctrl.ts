/**
 * IA32_FIXED_CTR_CTRL as one small integer.
 *
 * Models: SDM vol. 3, "Fixed-function performance counters": four bits a counter (0 kernel, 1 user, 3 PMI) and the adaptive
 * PEBS bit 32+4i. perf here always counts kernel and user, so a field is 0, 0xb (with PMI) or 0x3 (PEBS, without).
 *
 *   set bit    meaning for fixed counter i
 *   16+i       its field is not 0: the counter is enabled (the same bit as in a counter set)
 *   i          the field is 0x3: the counter makes PEBS records
 *   4+i        its adaptive bit is set
 *
 * Holds four fixed counters; no CPU model here has more.
 */
import { type CounterSet, FIXED, FIXED_BIT, type U64 } from './counter-set.js';

/** The register in the folded layout above; `& FIXED` are the enabled counters. */
export type FixedCtrl = number;

const COUNTERS = 4;
const PEBS_BIT = 0;
const ADAPTIVE_BIT = 4;

/** Enables a counter in the register: 0xb, or 0x3 and the adaptive bit where asked. */
export function enableFixed(
  from: FixedCtrl,
  counter: CounterSet,
  pebs: boolean,
  adaptive: boolean,
): FixedCtrl {
  const at = counter >>> FIXED_BIT;
  const field = (from & ~(at << PEBS_BIT)) | counter | (pebs ? at << PEBS_BIT : 0);
  return adaptive ? field | (at << ADAPTIVE_BIT) : field;
}

/** Clears a counter's field, and its adaptive bit unless that stays. */
export function disableFixed(
  from: FixedCtrl,
  counter: CounterSet,
  adaptiveStays: boolean,
): FixedCtrl {
  const at = counter >>> FIXED_BIT;
  const cleared = from & ~(counter | (at << PEBS_BIT));
  return adaptiveStays ? cleared : cleared & ~(at << ADAPTIVE_BIT);
}

/** The folded bits that fixed counters of a set can have. */
export function fixedCtrlBits(counters: CounterSet, pebs: boolean, adaptive: boolean): number {
  const at = (counters & FIXED) >>> FIXED_BIT;
  return (counters & FIXED) | (pebs ? at << PEBS_BIT : 0) | (adaptive ? at << ADAPTIVE_BIT : 0);
}

/** The architectural value. */
export function fixedCtrlToU64(folded: FixedCtrl): U64 {
  let lo = 0;
  let hi = 0;
  for (let i = 0; i < COUNTERS; i += 1) {
    if (folded & (1 << (FIXED_BIT + i))) {
      lo |= (folded & (1 << (PEBS_BIT + i)) ? 0x3 : 0xb) << (4 * i);
    }
    if (folded & (1 << (ADAPTIVE_BIT + i))) {
      hi |= 1 << (4 * i);
    }
  }
  return { hi, lo };
}
