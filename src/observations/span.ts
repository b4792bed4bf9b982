/** How long a text's records span, where they have times in a unit that their format gives away. */
import { PrintedTime } from './printed-time.js';
import type { ObservedRecord } from './record.js';

/** Formats whose times are seconds with microseconds or nanoseconds. */
const SECONDS = /^\d{1,12}\.\d{6}(?:\d{3})?$/;
const MILLISECONDS = /^\d{1,15}\.\d{3}$/;
const NANOSECONDS = /^\d{1,20}$/;
const DATE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?$/;

export class Span {
  private first: string | null = null;
  private readonly last = new PrintedTime();

  /** Of millions of records, all but two are passed over. */
  record(record: ObservedRecord): void {
    const { time } = record;
    if (!time.isPrinted || record.kind === 'job') return;
    this.first ??= time.text;
    this.last.take(time);
  }

  /** Null where times are not there, not in one clock, or in a unit that is not known. */
  seconds(format: string): number | null {
    const { first } = this;
    const last = this.last.text;
    if (first === null || last === null) return null;
    const [from, to] = [timeOf(first, format), timeOf(last, format)];
    if (from === null || to === null || from.perSecond !== to.perSecond) return null;
    const span = (to.count - from.count) / to.perSecond;
    return span > 0 ? Number(span.toPrecision(9)) : null;
  }
}

interface Time {
  readonly count: number;
  readonly perSecond: number;
}

/** Null where the unit is not known. */
function timeOf(at: string, format: string): Time | null {
  if (SECONDS.test(at)) return { count: Number(at), perSecond: 1 };
  if (format === 'perf-trace' && MILLISECONDS.test(at)) {
    return { count: Number(at), perSecond: 1000 };
  }
  if (format === 'bpftrace' && NANOSECONDS.test(at)) return { count: Number(at), perSecond: 1e9 };
  if (!DATE.test(at)) return null;
  // A time without a zone is as good as UTC: only the difference counts.
  const whole = at.replace(' ', 'T').replace(',', '.');
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(whole) ? whole : `${whole}Z`;
  return { count: Date.parse(zoned), perSecond: 1000 };
}
