/**
 * The reader of every text that is a log of lines: it takes away what mail and loggers did to a line, and shows the line to
 * recognisers until one says that it is its own.
 */
import type { MakeReader, Reader, RecordSink } from '../record.js';
import { type LogLine, logLines } from './log-line.js';
import { QuotedPrintable } from './quoted-printable.js';

export interface Recogniser {
  /** Whether the line is one of its own, and is done with. */
  take(line: LogLine): boolean;
  /** No line follows. */
  end?(): void;
}

export const logReader =
  (recognisers: (sink: RecordSink) => Recogniser[]): MakeReader =>
  (sink) =>
    new LogReader(recognisers(sink), sink);

/** What a line must not lose unseen. */
const TELLING =
  /3f1|^\s*cpu=|CPU#\d|\bMSR\b|pebs|max_sample_rate|^(?:0x)?[0-9a-f]+$|\bok \d|^(?:PASS|FAIL|SKIP)|\[RESULT\]|^# \w+=/i;

class LogReader implements Reader {
  private readonly mail = new QuotedPrintable();
  /** A line whose end a message of the kernel's has cut off. */
  private begun: LogLine | null = null;
  private host: string | null = null;

  constructor(
    private readonly recognisers: readonly Recogniser[],
    private readonly sink: RecordSink,
  ) {}

  line(raw: string, number: number): void {
    for (const whole of this.mail.decode(raw, number)) {
      for (const line of logLines(whole.text, whole.number)) {
        this.ofHost(line.host);
        this.part(line);
      }
    }
  }

  /** A log may be collected from several machines. */
  private ofHost(host: string | null): void {
    if (host === null) return;
    if (this.host !== null && this.host !== host) this.sink.otherMachine?.();
    this.host = host;
  }

  end(): void {
    if (this.begun !== null) this.lose(this.begun, '');
    for (const recogniser of this.recognisers) recogniser.end?.();
  }

  private part(line: LogLine): void {
    const { begun } = this;
    const isRest = begun?.fromLava === line.fromLava && !line.ofKernel && line.result === null;
    if (line.cut) {
      if (begun !== null) this.lose(begun, isRest ? line.text : '');
      this.begun = line;
    } else if (begun !== null && isRest) {
      this.begun = null;
      const text = begun.text + line.text;
      // A signal has an end of its own, so nothing but the whole of it is taken.
      if (/<LAVA_SIGNAL_/.test(text)) this.show(line.with(text));
      else this.lose(begun, line.text);
    } else this.show(line);
  }

  private show(line: LogLine): void {
    this.recognisers.find((recogniser) => recogniser.take(line));
  }

  /** Where a line went on is a guess, and a shorter value looks like any other. */
  private lose({ number, text }: LogLine, rest: string): void {
    if (!TELLING.test(text + rest)) return;
    const cpu = /cpu[=#](\d+)[ :]/i.exec(text)?.[1];
    const reason = 'a message of the kernel cuts into the line';
    this.sink.reject(number, reason, cpu === undefined ? undefined : Number(cpu));
  }
}
