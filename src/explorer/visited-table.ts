import { GrowingWords } from './growing-words.js';

/**
 * The set of states seen so far: exact, packed, growing. States are stored contiguously in the order they were found,
 * so the same array is the queue of a breadth-first search. Next to it is an open-addressing table (linear
 * probing) of one 32-bit slot each: the state's index + 1 in the low bits and, in the bits the index does not need, a
 * tag of its hash, so that a probe reads the state itself only if it is almost certainly equal.
 * With 2^b slots the top b bits of the 32-bit hash choose the slot and the other 32-b are the tag.
 * Cost: 4 * words bytes a state (a sixteenth more while they grow) and 5.3 to 10.7 bytes of slots; up to 21 in a table
 * of fewer than 3 million states, which grows in longer strides.
 */
export class VisitedTable {
  readonly words: number;
  /** State i is `states[i*words … i*words+words-1]`; a new view after growth, so read it anew after every insert. */
  states: Int32Array;
  count = 0;
  /** Inserts never raise `count` above this; `refused` is set when a new state is rejected. */
  countMax = Number.MAX_SAFE_INTEGER;
  refused = false;
  /** The most memory states and slots may take; may be changed at any time. */
  bytesMax: number;
  private readonly store: GrowingWords;
  private readonly index: GrowingWords;
  private slots: Int32Array;
  private bits: number;
  private hashes = new Int32Array(0);
  private found = new Int32Array(0);
  private named = new Int32Array(0);
  /** Sink for the prefetch reads, so that the JIT keeps them. */
  prefetched = 0;

  /** @param statesExpected sizes the slots beforehand. */
  constructor(words: number, bytesMax: number, statesExpected = 0) {
    this.words = words;
    this.bytesMax = bytesMax;
    const wordsMax = Math.max(SLOTS_MIN + STORE_STEP, Math.floor(bytesMax / 4));
    this.bits = Math.log2(SLOTS_MIN);
    while (
      this.bits < BITS_MAX &&
      2 ** this.bits * LOAD_MAX < statesExpected &&
      2 ** this.bits * 8 <= bytesMax / 2
    )
      this.bits++;
    this.store = new GrowingWords(STORE_STEP, wordsMax);
    this.index = new GrowingWords(2 ** this.bits, Math.min(wordsMax, 2 ** BITS_MAX));
    this.states = this.store.view;
    this.slots = this.index.view;
    // Written once from end to end, since a page that is read before it is written costs two page faults.
    this.slots.fill(0);
  }

  /** Bytes of memory committed for states and slots. */
  get bytes(): number {
    return this.store.bytes + this.index.bytes;
  }

  /**
   * Makes room for `more` new states; call it before every insert. Null if there is room, otherwise the reason why not:
   * `bytesMax`, or `memory` if the system or the address range is exhausted first.
   */
  reserve(more: number): 'bytesMax' | 'memory' | null {
    const wanted = (this.count + more) * this.words;
    if (wanted > this.states.length) {
      const length = this.states.length;
      const grown = Math.max(wanted, length + Math.max(STORE_STEP, Math.floor(length / 16)));
      if (!this.affords(grown - length)) return 'bytesMax';
      if (!this.store.reserve(grown)) return 'memory';
      this.states = this.store.view;
    }
    while (this.count + more > this.slots.length * LOAD_MAX) {
      const length = this.slots.length;
      // Refilling the slots is the expensive part of growing, so small tables grow in larger steps.
      const bits =
        length < STRIDE_SLOTS && this.affords(3 * length) ? this.bits + 2 : this.bits + 1;
      if (!this.affords(2 ** bits - length)) return 'bytesMax';
      if (!this.growSlots(bits)) return 'memory';
    }
    return null;
  }

  /** Forgets all states and keeps the memory. */
  clear(): void {
    const { slots, states, words, count } = this;
    if (count > slots.length / 8) {
      slots.fill(0);
    } else {
      // A state is in the run of full slots that its home slot begins or is in; a run ends at an empty slot.
      const mask = slots.length - 1;
      for (let at = 0; at < count * words; at += words) {
        let slot = hashState(states, at, words) >>> (32 - this.bits);
        for (; slots[slot] !== 0; slot = (slot + 1) & mask) slots[slot] = 0;
      }
    }
    this.count = 0;
    this.refused = false;
  }

  /**
   * Inserts `n` candidates stored contiguously in `from`; the new ones are appended to `states` in the same
   * order. Hashing all and prefetching all their slots before the first probe lets the memory latencies overlap.
   */
  insertBatch(from: Int32Array, n: number): void {
    this.ensureScratch(n);
    this.prefetchHomes(from, 0, n);
    this.probe(n);
    this.settle(from, n);
  }

  /** Index of the state at `from[at …]`, or -1 if it is not in the set. */
  find(from: Int32Array, at: number): number {
    const slot = this.slotOf(from, at, hashState(from, at, this.words));
    return ((this.slots[slot] as number) & (this.slots.length - 1)) - 1;
  }

  /** Inserts the state at `from[at …]`. Returns its index if it is new, -1 if it was present or rejected. */
  insert(from: Int32Array, at: number): number {
    const { words, count } = this;
    const hash = hashState(from, at, words);
    const slot = this.slotOf(from, at, hash);
    if (this.slots[slot] !== 0) return -1;
    if (count >= this.countMax) {
      this.refused = true;
      return -1;
    }
    for (let w = 0; w < words; w++) this.states[count * words + w] = from[at + w] as number;
    this.slots[slot] = (hash << this.bits) | (count + 1);
    this.count = count + 1;
    return count;
  }

  /** The slot that names this state, or the empty one where it would go. */
  private slotOf(from: Int32Array, at: number, hash: number): number {
    const { words, states } = this;
    const slots = this.slots;
    const bits = this.bits;
    const indexMask = slots.length - 1;
    const tag = hash << bits;
    for (let slot = hash >>> (32 - bits); ; slot = (slot + 1) & indexMask) {
      const entry = slots[slot] as number;
      if (entry === 0) return slot;
      if (
        ((entry ^ tag) & ~indexMask) === 0 &&
        equalStates(states, ((entry & indexMask) - 1) * words, from, at, words)
      )
        return slot;
    }
  }

  /** Hashes `n` candidates into `hashes`, puts their home slots into `found`, and reads those slots. */
  private prefetchHomes(from: Int32Array, fromIndex: number, n: number): void {
    const { words } = this;
    const hashes = this.hashes;
    const found = this.found;
    const shift = 32 - this.bits;
    for (let k = 0, at = words * fromIndex; k < n; k++, at += words) {
      const hash =
        words === 2
          ? hashPair(from[at] as number, from[at + 1] as number)
          : hashState(from, at, words);
      hashes[k] = hash;
      found[k] = hash >>> shift;
    }
    this.prefetched ^= prefetch(this.slots, found, n);
  }

  /** Moves `found` on to each candidate's first slot that is empty or has its tag, and reads the state named there. */
  private probe(n: number): void {
    const { words } = this;
    const slots = this.slots;
    const hashes = this.hashes;
    const found = this.found;
    const named = this.named;
    const bits = this.bits;
    const indexMask = slots.length - 1;
    const tagMask = ~indexMask;
    for (let k = 0; k < n; k++) {
      const tag = (hashes[k] as number) << bits;
      let slot = found[k] as number;
      let entry = slots[slot] as number;
      while (entry !== 0 && ((entry ^ tag) & tagMask) !== 0) {
        slot = (slot + 1) & indexMask;
        entry = slots[slot] as number;
      }
      found[k] = slot;
      named[k] = entry === 0 ? 0 : ((entry & indexMask) - 1) * words;
    }
    this.prefetched ^= prefetch(this.states, named, n);
  }

  /** Continues for each candidate from where `probe` stopped: seen before, or appended. */
  private settle(from: Int32Array, n: number): void {
    const { words, states, countMax } = this;
    const slots = this.slots;
    const hashes = this.hashes;
    const found = this.found;
    const bits = this.bits;
    const indexMask = slots.length - 1;
    const tagMask = ~indexMask;
    // Two words are the common case and worth a comparison without a loop.
    const pairs = words === 2;
    let count = this.count;
    for (let k = 0, at = 0; k < n; k++, at += words) {
      const tag = (hashes[k] as number) << bits;
      for (let slot = found[k] as number; ; slot = (slot + 1) & indexMask) {
        const entry = slots[slot] as number;
        if (entry === 0) {
          if (count >= countMax) {
            this.refused = true;
            break;
          }
          const to = count * words;
          states[to] = from[at] as number;
          if (pairs) states[to + 1] = from[at + 1] as number;
          else for (let w = 1; w < words; w++) states[to + w] = from[at + w] as number;
          count++;
          slots[slot] = tag | count;
          break;
        }
        if (((entry ^ tag) & tagMask) !== 0) continue;
        const named = ((entry & indexMask) - 1) * words;
        if (
          pairs
            ? states[named] === from[at] && states[named + 1] === from[at + 1]
            : equalStates(states, named, from, at, words)
        )
          break;
      }
    }
    this.count = count;
  }

  private ensureScratch(n: number): void {
    if (this.hashes.length >= n + TOUCH_OVERRUN) return;
    const length = Math.max(2 * n, REFILL_BATCH) + TOUCH_OVERRUN;
    this.hashes = new Int32Array(length);
    this.found = new Int32Array(length);
    this.named = new Int32Array(length);
  }

  private affords(words: number): boolean {
    return this.bytes + words * 4 <= this.bytesMax;
  }

  /** Grows the slots in place to 2^bits and refills them from the states in memory order. */
  private growSlots(bits: number): boolean {
    if (bits > BITS_MAX || !this.index.reserve(2 ** bits)) return false;
    this.slots = this.index.view;
    this.slots.fill(0);
    this.bits = bits;
    this.ensureScratch(REFILL_BATCH);
    const { states, count } = this;
    const slots = this.slots;
    const hashes = this.hashes;
    const found = this.found;
    const indexMask = slots.length - 1;
    for (let first = 0; first < count; first += REFILL_BATCH) {
      const n = Math.min(REFILL_BATCH, count - first);
      this.prefetchHomes(states, first, n);
      for (let k = 0; k < n; k++) {
        let slot = found[k] as number;
        while (slots[slot] !== 0) slot = (slot + 1) & indexMask;
        slots[slot] = ((hashes[k] as number) << bits) | (first + k + 1);
      }
    }
    return true;
  }
}

/**
 * Reads `words[at[0]]` to `words[at[n-1]]` and a few more. The loads are independent, four per iteration: this short loop
 * overlaps the most cache misses, and was measured to be 2.5 times as fast as the same reads inside the loop that computes
 * the hashes.
 */
function prefetch(words: Int32Array, at: Int32Array, n: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < n; k += 4) {
    a ^= words[at[k] as number] as number;
    b ^= words[at[k + 1] as number] as number;
    c ^= words[at[k + 2] as number] as number;
    d ^= words[at[k + 3] as number] as number;
  }
  return a ^ b ^ c ^ d;
}

/** 32-bit hash of a state of any number of words; every bit of the result depends on every bit of the state. */
export function hashState(states: Int32Array, at: number, words: number): number {
  if (words === 2) return hashPair(states[at] as number, states[at + 1] as number);
  let hash = 0;
  for (let w = 0; w < words; w++) {
    hash = Math.imul(hash ^ (states[at + w] as number), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

function hashPair(a: number, b: number): number {
  let hash = Math.imul(a, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15) ^ b, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

export function equalStates(
  left: Int32Array,
  leftAt: number,
  right: Int32Array,
  rightAt: number,
  words: number,
): boolean {
  for (let w = 0; w < words; w++) if (left[leftAt + w] !== right[rightAt + w]) return false;
  return true;
}

const LOAD_MAX = 0.75;
const REFILL_BATCH = 512;
/**
 * `prefetch` reads up to three entries too many. They must exist: one `undefined` used as an index makes the engine abandon
 * its fast path permanently.
 */
const TOUCH_OVERRUN = 4;
const SLOTS_MIN = 2 ** 12;
/** Below this many slots the table grows fourfold, above it twofold. */
const STRIDE_SLOTS = 2 ** 21;
/** Indices take the low bits of a slot; 2^30 slots hold 805 million states. */
const BITS_MAX = 30;
/** The states grow by at least this many words: 256 kB. */
const STORE_STEP = 2 ** 16;
