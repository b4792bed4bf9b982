/** Counter sets folded to the few bits that a world uses. */
import { type CounterSet, FIXED_BIT } from '../arch/counter-set.js';

const SPECIAL_BIT = 27;

/**
 * Folds sets of the counters in `used`. Where `rest` is given, its bits are all on or all off together, as the unused bits
 * of IA32_PERF_GLOBAL_CTRL are, and take one bit. Counters 8 to 15 cannot be folded.
 */
export class SetCodec {
  readonly width: number;
  readonly rest: CounterSet;
  /** Folded values of bits 0–7, 16–23 and 27–31, and the set of each folded value. */
  readonly low = new Int32Array(256);
  readonly fixed = new Int32Array(256);
  readonly special = new Int32Array(32);
  readonly wide: Int32Array;

  constructor(used: CounterSet, rest: CounterSet) {
    const bits = [...Array(32).keys()].filter((bit) => used & (1 << bit));
    this.rest = rest;
    this.width = bits.length + (rest === 0 ? 0 : 1);
    this.wide = new Int32Array(1 << this.width);
    bits.forEach((bit, place) => {
      const [table, first] =
        bit < 8
          ? ([this.low, 0] as const)
          : bit >= SPECIAL_BIT
            ? ([this.special, SPECIAL_BIT] as const)
            : ([this.fixed, FIXED_BIT] as const);
      setWhere(table, 1 << (bit - first), 1 << place);
      setWhere(this.wide, 1 << place, 1 << bit);
    });
    if (rest !== 0) {
      setWhere(this.wide, 1 << (this.width - 1), rest);
    }
  }

  /** The mask of the bit that stands for `rest` in a folded value. */
  get restFolded(): number {
    return 1 << (this.width - 1);
  }
}

/** Sets `bits` in every entry whose index has `index`. */
function setWhere(table: Int32Array, index: number, bits: number): void {
  for (let at = 0; at < table.length; at += 1) {
    if (at & index) {
      table[at]! |= bits;
    }
  }
}
