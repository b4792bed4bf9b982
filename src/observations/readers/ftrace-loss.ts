/** Records that the kernel's ring buffers or trace-cmd lost, in every spelling. */
import { ObservedRecord } from '../record.js';

/** What was written, less what is still there, on all CPUs together. */
const HEADER = /^#\s*entries-in-buffer\/entries-written:\s*(\d{1,15})\/(\d{1,15})\b/;
/** `CPU:3 [LOST 1234 EVENTS]`, `CPU:5 [LOST EVENTS]`, `CPU:7 [204600 EVENTS DROPPED]`. */
const MARK =
  /^\s*(?:CPU:\s*(\d{1,5})\s+)?\[(?:LOST(?: (\d{1,15}))? EVENTS|(?:(\d{1,15}) )?EVENTS DROPPED)\]\s*$/;
/** Whose statistics follow: `CPU: 3`, `==> /sys/kernel/tracing/per_cpu/cpu3/stats <==`, `# cpu 3`. */
const CPU_TITLE = /^(?:[#=-]+>?\s*)?(?:\S*\/)?cpu[ :=#]*(\d{1,5})(?:\/stats)?:?\s*(?:<?[=-]+)?$/i;
/** Also as grep prints it: `per_cpu/cpu3/stats:overrun: 17`. */
const COUNT =
  /^(?:\S*\bcpu(\d{1,5})\/stats:)?\s*(overrun|commit overrun|dropped events|read events):\s*(\d{1,15})\s*$/;
/** Of a line of statistics or its title; the expressions may look at longer ones for too long. */
const LONGEST = 200;

const LOSSES = new Set(['overrun', 'commit overrun', 'dropped events']);

/** Statistics may be sent without their trace. */
export const looksLikeLoss = (text: string): boolean =>
  text.length <= LONGEST && (MARK.test(text) || COUNT.test(text));

export class LossLines {
  /** Whose block of per_cpu statistics goes by. */
  private cpu: number | null = null;

  /** A loss that the line tells of, or null. */
  read(text: string, line: number): ObservedRecord | null {
    const header = HEADER.exec(text);
    if (header !== null) {
      const lost = Number(header[2]) - Number(header[1]);
      return lost > 0 ? loss(line, null, lost) : null;
    }
    const mark = MARK.exec(text);
    if (mark !== null) {
      const count = mark[2] ?? mark[3];
      return loss(
        line,
        mark[1] === undefined ? null : Number(mark[1]),
        count === undefined ? null : Number(count),
      );
    }
    return this.statistics(text.trim(), line);
  }

  private statistics(text: string, line: number): ObservedRecord | null {
    if (text.length > LONGEST) return null;
    const title = CPU_TITLE.exec(text)?.[1];
    if (title !== undefined) {
      this.cpu = Number(title);
      return null;
    }
    const [, inLine, name, digits] = COUNT.exec(text) ?? [];
    if (name === undefined) return null;
    const cpu = inLine === undefined ? this.cpu : Number(inLine);
    const count = Number(digits);
    // The last line of a block: the next one has a title of its own, or nobody knows whose it is.
    if (name === 'read events') this.cpu = null;
    return LOSSES.has(name) && count > 0 ? loss(line, cpu, count) : null;
  }
}

function loss(line: number, cpu: number | null, count: number | null): ObservedRecord {
  const record = new ObservedRecord(line, 'loss');
  record.cpu = cpu;
  record.count = count;
  return record;
}
