/**
 * A flat array of 32-bit words that grows in place: address space for `wordsMax` is reserved at once, memory is
 * committed as the array grows, and nothing is copied, so old and new copies never exist side by side. It is shared
 * memory, so that the thread that rebuilds counterexamples can read the states of other threads.
 */
export class GrowingWords {
  /** The committed words. Replaced by a longer view when the array grows, so do not keep it across `reserve`. */
  view: Int32Array;
  readonly wordsMax: number;
  private readonly memory: GrowableMemory;

  /** Reserves less than `wordsMax` words if the system refuses that much address space. */
  constructor(words: number, wordsMax: number) {
    const start = Math.min(words, wordsMax);
    let max = Math.min(wordsMax, WORDS_LIMIT);
    for (;;) {
      try {
        this.memory = new GrowableBuffer(start * 4, { maxByteLength: max * 4 });
        break;
      } catch (error) {
        if (max <= start) throw error;
        // A sixteenth, so that the engine has address space left.
        max = Math.max(start, Math.floor(max / 16));
      }
    }
    this.wordsMax = max;
    this.view = new Int32Array(this.memory as SharedArrayBuffer, 0, start);
  }

  get bytes(): number {
    return this.view.length * 4;
  }

  /** Makes the array at least `words` long; false if that exceeds `wordsMax` or the system has no memory. */
  reserve(words: number): boolean {
    if (words <= this.view.length) return true;
    if (words > this.wordsMax) return false;
    try {
      this.memory.grow(words * 4);
    } catch {
      return false;
    }
    this.view = new Int32Array(this.memory as SharedArrayBuffer, 0, words);
    return true;
  }
}

/** 4 GiB, the longest buffer that V8 makes in Node 20; word indices also stay below 2^31, in machine integers. */
const WORDS_LIMIT = 2 ** 30;

// ES2024 growable shared memory, which Node 20 has and the es2023 typings lack.
type GrowableMemory = SharedArrayBuffer & { grow(bytes: number): void };
const GrowableBuffer = SharedArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => GrowableMemory;
