import { performance } from 'node:perf_hooks';

/** Bounds of a search. A bound that is reached makes the verdict `undecided`; it is never an error. */
export interface Limits {
  /** Distinct states; with several workers the search may end some thousand states later. */
  readonly statesMax?: number | undefined;
  /** Steps from the initial state; for random walks the length of one walk. */
  readonly depthMax?: number | undefined;
  /** Wall-clock milliseconds of searching; rebuilding counterexamples takes extra time. */
  readonly millisMax?: number | undefined;
  /** Bytes of states and hash slots, all workers together. Default 4 GiB. */
  readonly bytesMax?: number | undefined;
}

/**
 * Why a search ended before it had seen everything: a bound of `Limits`, `memory` (the system ran out),
 * `cancelled`, `firstViolation` (asked for by `stopAtFirstViolation`), `walks` (random walks are never complete).
 */
export type StopReason = (typeof STOP_REASONS)[number];
export const STOP_REASONS = [
  'statesMax',
  'depthMax',
  'millisMax',
  'bytesMax',
  'memory',
  'cancelled',
  'firstViolation',
  'walks',
] as const;

export const BYTES_MAX_DEFAULT = 4 * 2 ** 30;

/**
 * Tells a search when to stop. One `stop` cell is shared by all its workers: 0 while they run, else 1 + the index of
 * the cut, so that a bound hit by one, or a cancel from outside, ends all of them at their next batch.
 * A search reads a clock only here, and only when `millisMax` is set; what it finds never depends on time otherwise.
 */
export class Budget {
  private readonly stopCell: Int32Array;
  private readonly deadline: number;
  private untilClock = 0;

  constructor(limits: Limits, stop: Int32Array = new Int32Array(new SharedArrayBuffer(4))) {
    this.stopCell = stop;
    this.deadline =
      limits.millisMax === undefined
        ? Number.POSITIVE_INFINITY
        : performance.now() + limits.millisMax;
  }

  /** Why the search must stop now, or null. Cheap enough to call once per batch. */
  cut(): StopReason | null {
    const cell = Atomics.load(this.stopCell, 0);
    if (cell !== 0) return STOP_REASONS[cell - 1] ?? 'cancelled';
    if (this.deadline === Number.POSITIVE_INFINITY || this.untilClock-- > 0) return null;
    this.untilClock = BATCHES_PER_CLOCK;
    return performance.now() >= this.deadline ? this.stop('millisMax') : null;
  }

  /** Stops every worker of the search. Returns the reason that came first. */
  stop(cut: StopReason): StopReason {
    Atomics.compareExchange(this.stopCell, 0, 0, STOP_REASONS.indexOf(cut) + 1);
    return STOP_REASONS[Atomics.load(this.stopCell, 0) - 1] ?? cut;
  }
}

/** Batches between two reads of the clock, to keep it off the hot path; a batch takes well under a millisecond. */
const BATCHES_PER_CLOCK = 8;
