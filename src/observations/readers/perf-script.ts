/** `perf script` as text, with stacks (-g) or without, and the dump that -D puts between its lines. */
import type { MakeReader, ObservedRecord, Reader, RecordSink } from '../record.js';
import { functionOfFrame } from './contexts.js';
import { HeldRecord } from './held-record.js';
import { sampleRateNotice } from './notices.js';
import { dumpedOf, recordOfDump } from './perf-dump.js';
import { PERF_HEADERS, perfHeader } from './perf-header.js';
import { lossOfPerf, throttlingOfStats } from './perf-loss.js';
import { sampleOf } from './perf-script-sample.js';
import { claimsToBeRead } from './tracepoints.js';

/** Also of `perf script -D` and `perf report -D`. */
export const makePerfScriptReader: MakeReader = (sink) => new PerfScriptReader(sink);

class PerfScriptReader implements Reader {
  private readonly held: HeldRecord;
  /** Whether frames may follow: a stack begins below its event and ends with an empty line. */
  private inStack = false;

  constructor(private readonly sink: RecordSink) {
    this.held = new HeldRecord(sink);
  }

  line(text: string, number: number): void {
    const notice = sampleRateNotice(text, number);
    if (notice !== null) this.keep(notice);
    const dumped = dumpedOf(text);
    if (dumped !== null) {
      const record = recordOfDump(number, dumped);
      if (typeof record === 'string') this.sink.reject(number, record);
      else if (record !== null) this.keep(record);
      return;
    }
    const sample = sampleOf(text, number);
    if (sample !== null) {
      this.keep(sample);
      this.inStack = true;
    } else if (text.trim() === '') this.inStack = false;
    else if (claimsToBeRead(text)) this.reject(number);
    else this.other(text, number);
  }

  end(): void {
    this.held.release();
  }

  private reject(line: number): void {
    this.held.release();
    this.inStack = false;
    this.sink.reject(line, BAD_SAMPLE);
    this.sink.missed?.(line, null);
  }

  private keep(record: ObservedRecord): void {
    this.inStack = false;
    this.held.hold(record);
  }

  private other(text: string, number: number): void {
    const [, name, value] = HEADER.exec(text) ?? [];
    if (name !== undefined && value !== undefined) perfHeader(this.sink, number, name, value);
    const loss = lossOfPerf(text, number) ?? throttlingOfStats(text, number);
    if (loss !== null) this.keep(loss);
    else if (this.inStack && /^\s/.test(text)) {
      const frame = functionOfFrame(text);
      if (frame !== null) this.held.addFrame(frame);
    }
  }
}

const HEADER = new RegExp(`^# (${PERF_HEADERS.join('|')}) : (.*?)\\s*$`);

const BAD_SAMPLE =
  'The event is not as perf prints it: the line may be cut, or another text is in it.';
