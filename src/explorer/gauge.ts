/**
 * The figures of a running search: one row of doubles per worker in shared memory, written by the worker once per batch
 * and readable by other threads at any time.
 */
export class Gauge {
  private readonly row: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(GAUGE_BYTES), worker = 0) {
    this.row = new Float64Array(memory, worker * GAUGE_BYTES, FIELDS + WIDTHS);
  }

  set(states: number, transitions: number, frontier: number, bytes: number): void {
    const row = this.row;
    row[0] = states;
    row[1] = transitions;
    row[2] = frontier;
    row[3] = bytes;
  }

  /** Records a level of `width` states at `depth`. */
  level(depth: number, width: number): void {
    this.row[FIELDS + (depth % WIDTHS)] = width;
    this.row[4] = depth;
  }

  /** Records the progress of a task of known size. */
  work(done: number, total: number): void {
    this.row[5] = done;
    this.row[6] = total;
  }
}

/** Sums the rows of `workers` workers. */
export function readGauges(memory: SharedArrayBuffer, workers: number): GaugeReading {
  const sum = {
    states: 0,
    transitions: 0,
    frontier: 0,
    bytes: 0,
    depth: 0,
    done: 0,
    total: 0,
    widths: new Array<number>(WIDTHS).fill(0),
  };
  for (let worker = 0; worker < workers; worker++) {
    const row = new Float64Array(memory, worker * GAUGE_BYTES, FIELDS + WIDTHS);
    sum.states += row[0] as number;
    sum.transitions += row[1] as number;
    sum.frontier += row[2] as number;
    sum.bytes += row[3] as number;
    sum.depth = Math.max(sum.depth, row[4] as number);
    sum.done += row[5] as number;
    sum.total += row[6] as number;
    for (let i = 0; i < WIDTHS; i++)
      sum.widths[i] = (sum.widths[i] as number) + (row[FIELDS + i] as number);
  }
  // Oldest level first; the newest is at depth.
  const known = Math.min(WIDTHS, sum.depth + 1);
  return {
    ...sum,
    widths: Array.from(
      { length: known },
      (_, i) => sum.widths[(sum.depth - known + 1 + i) % WIDTHS] as number,
    ),
  };
}

export interface GaugeReading {
  readonly states: number;
  readonly transitions: number;
  /** States found but not yet expanded. */
  readonly frontier: number;
  readonly bytes: number;
  readonly depth: number;
  /** Progress of a task of known size; both 0 if the size is unknown. */
  readonly done: number;
  readonly total: number;
  /** Sizes of the last levels, the newest last; each is complete when it is recorded. */
  readonly widths: readonly number[];
}

const FIELDS = 7;
/** Levels remembered: more than almost any search has. */
const WIDTHS = 1024;
export const GAUGE_BYTES = (FIELDS + WIDTHS + 1) * 8;
