/** What perf says when interrupts take too long, wherever in a line: printk's text is spliced into others'. */
import { ObservedRecord } from '../record.js';

const TOO_LONG =
  /(?:\[\s*(\d+\.\d+)\]\s*)?(perf:? (?:interrupt took|samples) too long \(\d+ > \d+\), lowering kernel\.perf_event_max_sample_rate to (\d{1,9}))\b/;

/** perf lowered its sample rate: `count` is the new one. */
export function sampleRateNotice(text: string, line: number): ObservedRecord | null {
  if (!text.includes('too long')) return null;
  const [, at, notice, rate] = TOO_LONG.exec(text) ?? [];
  if (notice === undefined) return null;
  const record = new ObservedRecord(line, 'notice');
  record.at = at ?? null;
  record.name = notice;
  record.count = Number(rate);
  return record;
}
