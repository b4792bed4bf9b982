/** What perf says of samples it lost, in its own lines and on stderr. */
import { ObservedRecord } from '../record.js';

/** Of `perf trace`, `perf report --stats`, and perf's warnings; where no number of samples is given, it is unknown. */
const LOSS =
  /^\s*(?:LOST (\d{1,15}) events!|LOST(?:_SAMPLES)? events:\s+[1-9]\d*\b.*|(?:Warning:\s*)?Processed \d+ (?:events|samples) and lost (?:[\d.]+%(?: samples)?|\d+ chunks)!.*)\s*$/;

/** Among the samples, with --show-lost-events: `swapper     0 [003]  1370.355646: PERF_RECORD_LOST lost 42`. */
const AMONG_SAMPLES =
  /(?:\[(\d{3,5})\]\s{1,24})?(\d{1,12}\.\d{6,9}):\s+PERF_RECORD_LOST(?:_SAMPLES)?:? .{0,64}?\blost:?\s*(\d{1,15})\s*$/;

/** Of `perf report --stats`: how many records of throttling there are, of no CPU in particular. */
const THROTTLING = /^\s*(UN)?THROTTLE events:\s+([1-9]\d{0,14})\b/;
export const looksLikeStats = (text: string): boolean =>
  /^\s*(?:Aggregated stats:|(?:TOTAL|(?:UN)?THROTTLE|LOST(?:_SAMPLES)?) events:\s+\d+\b.*)$/.test(
    text,
  );

export function throttlingOfStats(text: string, line: number): ObservedRecord | null {
  const [whole, un, count] = THROTTLING.exec(text) ?? [];
  if (whole === undefined) return null;
  const record = new ObservedRecord(line, un === undefined ? 'throttle' : 'unthrottle');
  record.count = Number(count);
  return record;
}

export function lossOfPerf(text: string, line: number): ObservedRecord | null {
  const alone = LOSS.exec(text);
  const among = AMONG_SAMPLES.exec(text);
  if (alone === null && among === null) return null;
  const record = new ObservedRecord(line, 'loss');
  const count = alone?.[1] ?? among?.[3];
  record.count = count === undefined ? null : Number(count);
  record.cpu = among?.[1] === undefined ? null : Number(among[1]);
  record.at = among?.[2] ?? null;
  return record;
}
