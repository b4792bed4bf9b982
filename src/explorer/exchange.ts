import type { Successors } from './model.js';
import { hashState } from './visited-table.js';

/**
 * How the workers of one breadth-first search pass states to their owners and synchronise at each level. Each ordered pair
 * of workers has a ring of states in shared memory, with one writer and one reader.
 */
export class Exchange {
  private readonly index: number;
  private readonly workers: number;
  private readonly words: number;
  private readonly ringStates: number;
  private readonly control: Int32Array;
  private readonly rings: readonly Int32Array[];
  private level = 0;
  private meetings = 0;
  /** For each ring this worker writes: the next position to write, and how far the reader is known to have read. */
  private readonly tails: Int32Array;
  private readonly heads: Int32Array;

  constructor(memory: ExchangeMemory, index: number, words: number) {
    this.index = index;
    this.workers = memory.rings.length;
    this.words = words;
    this.control = new Int32Array(memory.control);
    const workers = this.workers;
    const ringWords = ringWordsOf(workers);
    this.ringStates = 2 ** Math.floor(Math.log2(ringWords / words));
    // Ring from i to j: rings[i * workers + j].
    this.rings = memory.rings.flatMap((buffer) =>
      Array.from(
        { length: workers },
        (_, to) => new Int32Array(buffer, to * ringWords * 4, ringWords),
      ),
    );
    this.tails = new Int32Array(workers);
    this.heads = new Int32Array(workers);
  }

  /** Whether this worker owns the state. */
  owns(state: Int32Array): boolean {
    return this.owner(hashState(state, 0, this.words)) === this.index;
  }

  /**
   * Sends the candidates that others own and keeps the rest at the front of `out`. While a ring is full it calls
   * `receive`, so that two workers with full rings cannot deadlock.
   */
  route(out: Successors, receive: () => boolean): void {
    const { words: from, count } = out;
    const words = this.words;
    const own = this.index;
    const tails = this.tails;
    const heads = this.heads;
    const ringStates = this.ringStates;
    let kept = 0;
    for (let k = 0, at = 0; k < count; k++, at += words) {
      const owner = this.owner(hashState(from, at, words));
      if (owner === own) {
        for (let w = 0; w < words; w++) from[kept * words + w] = from[at + w] as number;
        kept++;
        continue;
      }
      const tail = tails[owner] as number;
      if (((tail - (heads[owner] as number)) | 0) >= ringStates && !this.awaitRoom(owner, receive))
        break;
      const ring = this.rings[own * this.workers + owner] as Int32Array;
      const slot = (tail & (ringStates - 1)) * words;
      for (let w = 0; w < words; w++) ring[slot + w] = from[at + w] as number;
      tails[owner] = tail + 1;
    }
    for (let to = 0; to < this.workers; to++) if (to !== own) this.publish(to);
    out.count = kept;
  }

  /** Appends received states to `out`, at most `room` of them; returns whether there were any. */
  collect(out: Successors, room: number): boolean {
    const words = this.words;
    const mask = this.ringStates - 1;
    const before = out.count;
    for (let sender = 0; sender < this.workers; sender++) {
      if (sender === this.index) continue;
      const cells = this.cells(sender, this.index);
      const head = Atomics.load(this.control, cells + HEAD);
      const arrived = (Atomics.load(this.control, cells + TAIL) - head) | 0;
      const n = Math.min(arrived, room - (out.count - before));
      if (n === 0) continue;
      const ring = this.rings[sender * this.workers + this.index] as Int32Array;
      const to = out.words;
      for (let k = 0, at = out.count * words; k < n; k++, at += words) {
        const slot = ((head + k) & mask) * words;
        for (let w = 0; w < words; w++) to[at + w] = ring[slot + w] as number;
      }
      out.count += n;
      Atomics.store(this.control, cells + HEAD, (head + n) | 0);
    }
    return out.count > before;
  }

  /** Reports that this worker has expanded its part of the level, and receives until all have and no state is in transit. */
  finishLevel(receive: () => boolean): void {
    const control = this.control;
    Atomics.add(control, FINISHED, 1);
    Atomics.notify(control, FINISHED);
    const all = ++this.level * this.workers;
    for (;;) {
      const finished = Atomics.load(control, FINISHED);
      if (receive()) continue;
      if (finished >= all || this.stopped()) return;
      Atomics.wait(control, FINISHED, finished, WAIT_MILLIS);
    }
  }

  /** A barrier; returns the new states of all workers together, or -1 if the search was stopped. */
  endLevel(newStates: number, foundMask: number): number {
    Atomics.or(this.control, FOUND, foundMask);
    return this.together(newStates, (sum, one) => sum + one);
  }

  /** A barrier; returns the least number that a worker has brought, or -1 if the search was stopped. */
  least(own: number): number {
    return this.together(own, Math.min);
  }

  private together(own: number, combine: (one: number, other: number) => number): number {
    const control = this.control;
    const cells = COUNTS + (this.meetings & 1) * this.workers;
    Atomics.store(control, cells + this.index, own);
    if (!this.meet()) return -1;
    this.meetings++;
    let result = own;
    for (let worker = 0; worker < this.workers; worker++) {
      if (worker !== this.index) result = combine(result, Atomics.load(control, cells + worker));
    }
    return result;
  }

  /** Properties found by any worker in the completed levels. */
  foundMask(): number {
    return Atomics.load(this.control, FOUND);
  }

  /** Publishes how many states this worker has, and returns the total. */
  countStates(own: number): number {
    const cells = COUNTS + 2 * this.workers;
    Atomics.store(this.control, cells + this.index, own);
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++)
      sum += Atomics.load(this.control, cells + worker);
    return sum;
  }

  private meet(): boolean {
    const control = this.control;
    const generation = Atomics.load(control, GENERATION);
    if (Atomics.add(control, ARRIVED, 1) === this.workers - 1) {
      Atomics.store(control, ARRIVED, 0);
      Atomics.add(control, GENERATION, 1);
      Atomics.notify(control, GENERATION);
      return true;
    }
    while (Atomics.load(control, GENERATION) === generation) {
      if (this.stopped()) return false;
      Atomics.wait(control, GENERATION, generation, MEET_MILLIS);
    }
    return true;
  }

  private stopped(): boolean {
    return Atomics.load(this.control, STOP) !== 0;
  }

  /** Uses other bits of the hash than slots and tags, so that each worker's table still fills evenly. */
  private owner(hash: number): number {
    return ((Math.imul(hash, 0xc2b2ae35) >>> 16) * this.workers) >>> 16;
  }

  /** Receives until the ring to that worker has room; false if the search was stopped. */
  private awaitRoom(to: number, receive: () => boolean): boolean {
    this.publish(to);
    for (;;) {
      const head = Atomics.load(this.control, this.cells(this.index, to) + HEAD);
      this.heads[to] = head;
      if ((((this.tails[to] as number) - head) | 0) < this.ringStates) return true;
      if (this.stopped()) return false;
      if (!receive()) Atomics.wait(this.control, IDLE, 0, WAIT_MILLIS);
    }
  }

  /** Publishes the writes to the ring so far. */
  private publish(to: number): void {
    Atomics.store(this.control, this.cells(this.index, to) + TAIL, this.tails[to] as number);
  }

  private cells(from: number, to: number): number {
    return COUNTS + 3 * this.workers + CELLS_PER_RING * (from * this.workers + to);
  }
}

/** The memory that the workers of one search share. */
export interface ExchangeMemory {
  /** Cell 0 is the stop cell of the `Budget`. */
  readonly control: SharedArrayBuffer;
  /** One buffer per sender. */
  readonly rings: readonly SharedArrayBuffer[];
}

export function exchangeMemory(workers: number): ExchangeMemory {
  return {
    control: new SharedArrayBuffer((COUNTS + 3 * workers + CELLS_PER_RING * workers * workers) * 4),
    rings: Array.from(
      { length: workers },
      () => new SharedArrayBuffer(workers * ringWordsOf(workers) * 4),
    ),
  };
}

/** Half a megabyte for all rings of a worker: 32,768 states of two words between two workers. */
function ringWordsOf(workers: number): number {
  return Math.max(2 ** 11, Math.floor(2 ** 17 / workers));
}

const WAIT_MILLIS = 0.05;
const MEET_MILLIS = 20;

// Cells of the control array, each on a cache line of its own.
const STOP = 0;
const FINISHED = 16;
const ARRIVED = 32;
const GENERATION = 48;
const FOUND = 64;
const IDLE = 80;
const COUNTS = 96;
const CELLS_PER_RING = 32;
const HEAD = 0;
const TAIL = 16;
