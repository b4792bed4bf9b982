/**
 * A set of performance counters as one int32.
 *
 * Models: the common index space of IA32_PERF_GLOBAL_CTRL, IA32_PEBS_ENABLE and perf's masks
 * (`cpuc->pebs_enabled`, `intel_ctrl_guest_mask`, …): general-purpose counter k at bit k, fixed
 * counter i at bit 32+i, and five bits above them (Linux asm/perf_event.h).
 * Inside the engine these are folded into 32 bits, so that a mask is a JavaScript small integer:
 *
 *   set bit        architectural bit   meaning
 *   0..15          0..15               general-purpose counter k (PMCk)
 *   16..26         32..42              fixed counter i (FIXEDi); PEBS load latency on PMCi before perfmon 5
 *   27             58                  VLBR, a pseudo counter that exists in perf only
 *   28             48                  PERF_METRICS, and the pseudo counter of its events
 *   29, 30         60, 61              PEBS-via-PT: PMI after each record, output to PT
 *   31             63                  PEBS precise store
 *
 * Leaves out: every other bit. `fromU64` reports them so that the edge can refuse them.
 */

/** A set of counters in the folded layout above. */
export type CounterSet = number;

/** A 64-bit value as two unsigned 32-bit halves. */
export interface U64 {
  readonly hi: number;
  readonly lo: number;
}

export const GENERAL_PURPOSE_MAX = 16;
export const FIXED_MAX = 11;
/** Set bit of fixed counter 0. */
export const FIXED_BIT = 16;

export const VLBR: CounterSet = 1 << 27;
export const PERF_METRICS: CounterSet = 1 << 28;
export const PEBS_PMI_AFTER_EACH_RECORD: CounterSet = 1 << 29;
export const PEBS_OUTPUT_PT: CounterSet = 1 << 30;
export const PEBS_PRECISE_STORE: CounterSet = 1 << 31;
/** The two PEBS-via-PT bits of IA32_PEBS_ENABLE. */
export const PEBS_VIA_PT: CounterSet = PEBS_PMI_AFTER_EACH_RECORD | PEBS_OUTPUT_PT;

export const GENERAL_PURPOSE: CounterSet = 0xffff;
export const FIXED: CounterSet = 0x07ff << FIXED_BIT;
/** Every bit that is a counter. */
export const COUNTERS: CounterSet = GENERAL_PURPOSE | FIXED;
/** Places that perf schedules events on though the CPU has no counter there. */
export const PSEUDO_COUNTERS: CounterSet = VLBR | PERF_METRICS;

/** The highest-numbered bits by name, as `bits` lists print them. */
const SPECIAL_NAMES: readonly (readonly [CounterSet, string])[] = [
  [VLBR, 'VLBR'],
  [PERF_METRICS, 'PERF_METRICS'],
  [PEBS_PMI_AFTER_EACH_RECORD, 'PEBS_PMI_AFTER_EACH_RECORD'],
  [PEBS_OUTPUT_PT, 'PEBS_OUTPUT_PT'],
  [PEBS_PRECISE_STORE, 'PEBS_PRECISE_STORE'],
];

/** The first `count` general-purpose counters. */
export function generalPurpose(count: number): CounterSet {
  return (1 << count) - 1;
}

/** The first `count` fixed counters. */
export function fixed(count: number): CounterSet {
  return ((1 << count) - 1) << FIXED_BIT;
}

/** Widens a set to the architectural 64-bit value. */
export function toU64(set: CounterSet): U64 {
  const special =
    (set & VLBR ? 1 << 26 : 0) |
    (set & PERF_METRICS ? 1 << 16 : 0) |
    (set & PEBS_PMI_AFTER_EACH_RECORD ? 1 << 28 : 0) |
    (set & PEBS_OUTPUT_PT ? 1 << 29 : 0) |
    (set & PEBS_PRECISE_STORE ? 1 << 31 : 0);
  return { hi: (((set >>> FIXED_BIT) & 0x7ff) | special) >>> 0, lo: set & GENERAL_PURPOSE };
}

/** Folds a 64-bit value; bits that no set can hold are dropped, and `fits` is false. */
export function fromU64(value: U64): { set: CounterSet; fits: boolean } {
  const set =
    (value.lo & GENERAL_PURPOSE) |
    ((value.hi & 0x7ff) << FIXED_BIT) |
    (value.hi & (1 << 26) ? VLBR : 0) |
    (value.hi & (1 << 16) ? PERF_METRICS : 0) |
    (value.hi & (1 << 28) ? PEBS_PMI_AFTER_EACH_RECORD : 0) |
    (value.hi & (1 << 29) ? PEBS_OUTPUT_PT : 0) |
    (value.hi & (1 << 31) ? PEBS_PRECISE_STORE : 0);
  const back = toU64(set);
  return { set, fits: back.hi === value.hi >>> 0 && back.lo === value.lo >>> 0 };
}

/** The names of the bits in a set, lowest first: `["PMC0", "FIXED1"]`. */
export function counterNames(set: CounterSet): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < FIXED_BIT + FIXED_MAX; bit += 1) {
    if (set & (1 << bit)) {
      names.push(counterName(bit));
    }
  }
  for (const [mask, name] of SPECIAL_NAMES) {
    if (set & mask) {
      names.push(name);
    }
  }
  return names;
}

/** The name of the counter at a set bit: `PMC0`…, `FIXED0`…, or that of a pseudo counter. */
export function counterName(bit: number): string {
  const special = SPECIAL_NAMES.find(([mask]) => mask === 1 << bit);
  if (special !== undefined) {
    return special[1];
  }
  return bit < FIXED_BIT ? `PMC${bit}` : `FIXED${bit - FIXED_BIT}`;
}

/** The set bit of a counter name, or undefined for a name no counter has. */
export function counterBit(name: string): number | undefined {
  const pseudo = SPECIAL_NAMES.find(([mask, known]) => known === name && mask & PSEUDO_COUNTERS);
  if (pseudo !== undefined) {
    return lowestBit(pseudo[0]);
  }
  const match = /^(PMC|FIXED)(\d{1,2})$/.exec(name);
  const number = Number(match?.[2]);
  if (match?.[1] === 'PMC' && number < GENERAL_PURPOSE_MAX) {
    return number;
  }
  return match?.[1] === 'FIXED' && number < FIXED_MAX ? FIXED_BIT + number : undefined;
}

/** The lowest bit number in a non-empty set. */
export function lowestBit(set: CounterSet): number {
  return 31 - Math.clz32(set & -set);
}

/** How many bits a set has. */
export function countBits(set: CounterSet): number {
  let rest = set;
  let count = 0;
  while (rest !== 0) {
    rest &= rest - 1;
    count += 1;
  }
  return count;
}
