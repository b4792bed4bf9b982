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
    new LogReader(recognisers(sink));

class LogReader implements Reader {
  private readonly mail = new QuotedPrintable();

  constructor(private readonly recognisers: readonly Recogniser[]) {}

  line(raw: string, number: number): void {
    for (const whole of this.mail.decode(raw, number)) {
      for (const line of logLines(whole.text, whole.number)) {
        this.recognisers.find((recogniser) => recogniser.take(line));
      }
    }
  }

  end(): void {
    for (const recogniser of this.recognisers) recogniser.end?.();
  }
}
