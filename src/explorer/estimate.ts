import type { GaugeReading } from './gauge.js';

/** The remaining time in milliseconds, with its likely range. */
export interface MillisLeft {
  readonly likely: number;
  readonly low: number;
  readonly high: number;
}

/**
 * How long a search will still take, or null if unknown, the usual case: the number of states ahead cannot be known. It
 * is known for a task of given size, and bounded for a breadth-first search once its levels have clearly begun to shrink.
 * @param rate states (or parts of the task) a millisecond
 */
export function estimateMillisLeft(reading: GaugeReading, rate: number): MillisLeft | null {
  if (!(rate > 0)) return null;
  if (reading.total > 0) {
    const likely = (reading.total - reading.done) / rate;
    // A rate measured over few parts is imprecise: one part in sqrt(done) either way.
    const error = 1 / Math.sqrt(Math.max(1, reading.done));
    return { likely, low: likely * (1 - error), high: likely * (1 + error) };
  }
  const ahead = statesAhead(reading);
  if (ahead === null) return null;
  const { frontier } = reading;
  return {
    low: frontier / rate,
    likely: (frontier + ahead * LIKELY) / rate,
    high: (frontier + ahead) / rate,
  };
}

/**
 * At most about how many states are still to be found; null until the levels, averaged, are well below the widest.
 *
 * The widths of levels, averaged over some, rise and fall like a bell. The level now, against the widest, says how far down
 * the far side the search has come, and so which part of the states is still ahead. Single levels vary by half, and
 * some worlds have two bells, so this is a bound that mostly holds and not a mean: test/explorer/estimate.test.ts.
 */
function statesAhead({ widths, states }: GaugeReading): number | null {
  const sums = [0];
  for (const width of widths) sums.push((sums.at(-1) as number) + width);
  let mean = 0;
  let widest = 0;
  for (let end = 1; end <= widths.length; end++) {
    const span = Math.min(end, Math.max(SPAN_MIN, Math.round(SPAN_PART * end)));
    mean = ((sums[end] as number) - (sums[end - span] as number)) / span;
    widest = Math.max(widest, mean);
  }
  if (!(mean < widest * SHRUNK)) return null;
  const deviations = Math.sqrt(-2 * Math.log(mean / widest));
  // What lies beyond so many deviations, against what lies before: a logistic curve in place of the normal one. An average
  // over so many levels lags behind, so less is ahead than it says.
  return BOUND * states * Math.exp(-1.6 * deviations);
}

/** Levels averaged: this part of all. */
const SPAN_PART = 0.25;
const SPAN_MIN = 3;
const SHRUNK = 0.7;
const BOUND = 0.25;
/** Half of the searches measured had less ahead than about this part of the bound. */
const LIKELY = 0.2;
