/** What the texts of real machines tell Prometheus. */
import type { Meters } from '../metrics/meters.js';
import type { ReadText } from './piece-reading.js';

export function countReading(meters: Meters, { answer, lines }: ReadText): void {
  const { format, verdict, records, rejected_total: rejects } = answer;
  meters.count('pebslab_observations_total', { format, verdict });
  const count = (outcome: string, by: number): void =>
    meters.count('pebslab_ingest_lines_total', { format, outcome }, by);
  count('record', records);
  count('reject', rejects);
  count('nothing', Math.max(0, lines - records - rejects));
}
