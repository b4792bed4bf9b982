import type { GaugeReading } from './gauge.js';

/** The remaining time in milliseconds, with its likely range. */
export interface MillisLeft {
  readonly likely: number;
  readonly low: number;
  readonly high: number;
}

/**
 * How long a search will still take, or null if unknown, the usual case: the number of states ahead cannot be known. It
 * is known for a task of given size, and estimated once the levels of a breadth-first search have shrunk three times in
 * a row: then the rest is treated as a geometric series whose ratio lies between the least and the greatest seen.
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
  // The newest level is still being filled, so it does not count.
  const widths = reading.widths.slice(-RATIOS - 2, -1);
  if (widths.length <= RATIOS) return null;
  const ratios = widths.slice(1).map((width, i) => width / (widths[i] as number));
  if (!ratios.every((ratio) => ratio < 1)) return null;
  const width = widths.at(-1) as number;
  const rest = (ratio: number): number => reading.frontier + (width * ratio * ratio) / (1 - ratio);
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  return {
    likely: rest(mean) / rate,
    low: rest(Math.min(...ratios)) / rate,
    high: rest(Math.max(...ratios)) / rate,
  };
}

const RATIOS = 3;
