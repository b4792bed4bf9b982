/** Values that no machine of a CPU model can write, whatever its kernel does: its registers do not have the bits. */
import { MISSING, type Observation } from '../../explorer/observation.js';
import { AddressBook } from '../../pmu/arch/address-book.js';
import { COUNTERS, type U64 } from '../../pmu/arch/counter-set.js';
import type { PmuCaps } from '../../pmu/arch/cpu-model.js';
import {
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  GLOBAL_STATUS_RESET,
  msrIndex,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
} from '../../pmu/arch/msr.js';
import { u64OfMsr } from '../values.js';
import type { Symbols } from './symbols.js';

/** Of selectors no other bits are compared than those that they have. */
const WRITTEN = [GLOBAL_CTRL, PEBS_ENABLE, PEBS_DATA_CFG, FIXED_CTR_CTRL, GLOBAL_STATUS_RESET];
const NO_ADDRESSES = new AddressBook();

/** The place of the first record that writes such a value; -1 where there is none. */
export function impossibleAt(recording: Observation, symbols: Symbols, caps: PmuCaps): number {
  const bits = new Map(WRITTEN.map((msr) => [msrIndex(msr), bitsOf(msr, caps)]));
  return recording.findIndex((symbol) => {
    if (symbol === MISSING) return false;
    const { what, of, value } = symbols.of(symbol);
    const has = what === 'write' ? bits.get(of) : undefined;
    return has !== undefined && ((value.hi & ~has.hi) | (value.lo & ~has.lo)) !== 0;
  });
}

/** Those that the engine's form of the register can stand for; perf enables no counters that the CPU does not have. */
function bitsOf(msr: number, { intelCtrl }: PmuCaps): U64 {
  const held = msr === GLOBAL_CTRL ? intelCtrl | ~COUNTERS : ~0;
  let [hi, lo] = [0, 0];
  for (let bit = 0; bit < 32; bit += 1) {
    const one = u64OfMsr(msr, held & (1 << bit), NO_ADDRESSES);
    hi |= one.hi;
    lo |= one.lo;
  }
  return { hi, lo };
}
