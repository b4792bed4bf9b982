/** Traces as text: `trace`, `trace_pipe`, `trace-cmd report`, and what people quote of them in mails. */
import type { Piece } from '../lines.js';
import type { MakeReader, ObservedRecord, Reader, RecordSink } from '../record.js';
import { functionOfFrame } from './contexts.js';
import { CommonLines } from './ftrace-common-lines.js';
import { bareHeadOf, type Head, headOf } from './ftrace-head.js';
import { LossLines, looksLikeLoss } from './ftrace-loss.js';
import { HeldRecord } from './held-record.js';
import { LogLine } from './log-line.js';
import { sampleRateNotice } from './notices.js';
import { snapshot } from './reading-lines.js';
import { claimsToBeRead, recordOfBody } from './tracepoints.js';

export const makeFtraceReader: MakeReader = (sink) => new FtraceReader(sink);

/** A line of such a trace, or one that only such traces have. */
export function looksLikeFtrace(line: string): boolean {
  const text = line.replace(QUOTE, '');
  if (/^# (?:tracer: \w|entries-in-buffer\/entries-written: )/.test(text)) return true;
  if (looksLikeLoss(text)) return true;
  const head = headOf(text) ?? bareHeadOf(text);
  return head !== null && (head.pid !== null || claimsToBeRead(text));
}

/** Marks of quotation in a mail; or printk's time, where the kernel dumped the trace to its log. */
const QUOTE =
  /^(?:(?:> ?){1,20}|(?:<\d{1,3}>)?\[ {0,8}\d{1,12}\.\d{6}\](?:\[ {0,8}[TC]\d{1,10}\])? )/;
/** `write_msr: 3f1, value 0`; trace-cmd can print the system before it. */
const EVENT = /^(?:[\w-]+:)?([\w-]+):(?:\s+(.*))?$/s;

const STACK = /^(?:kernel_stack:\s*)?<stack trace ?>/;

/** A quoted line that a mail program may have wrapped: the rest would be in the next one of the same quotation. */
interface Wrapped {
  readonly text: string;
  readonly line: number;
  readonly quote: string;
}

class FtraceReader implements Reader {
  private readonly commonLines = new CommonLines();
  private readonly losses = new LossLines();
  private readonly held: HeldRecord;
  private wrapped: Wrapped | null = null;
  /** Whether frames of a stack may follow. */
  private inStack = false;

  constructor(private readonly sink: RecordSink) {
    this.held = new HeldRecord(sink);
  }

  common(piece: Piece, start: number, number: number): number {
    const next = this.commonLines.read(piece, start, number);
    if (next > 0) this.keep(this.commonLines.record);
    return next;
  }

  end(): void {
    this.rejectWrapped();
    this.held.release();
  }

  private keep(record: ObservedRecord): void {
    this.inStack = false;
    this.held.hold(record);
  }

  line(line: string, number: number): void {
    this.commonLines.learn(line);
    const quote = QUOTE.exec(line)?.[0] ?? '';
    const text = line.slice(quote.length);
    const notice = sampleRateNotice(text, number);
    if (notice !== null) this.keep(notice);
    if (/^\s*#GP\s*$/.test(text)) this.held.refuse();
    else if (/^(?:#|\s*\/\/)/.test(text)) this.comment(text, number);
    else if (this.inStack && /^\s*=>/.test(text)) this.frame(text);
    else if (!this.continues(text, quote.trimEnd())) this.content(text, number, quote.trimEnd());
  }

  private content(text: string, number: number, quote: string): void {
    const head = headOf(text) ?? bareHeadOf(text);
    if (head === null) {
      if (claimsToBeRead(text)) this.reject(number, NO_HEAD, null);
      else this.withoutHead(text, number);
      return;
    }
    if (STACK.test(head.rest)) {
      this.inStack = this.held.record?.cpu === head.cpu;
      return;
    }
    const record = recordOf(head, number);
    if (record !== null) this.keep(record);
    else if (claimsToBeRead(text)) {
      if (quote === '') this.reject(number, BAD_BODY, head.cpu);
      else this.wrapped = { text, line: number, quote };
    }
  }

  /** A collector says there what it knows of the machine. */
  private comment(text: string, number: number): void {
    if (!/^#\s*\w+=/.test(text)) {
      this.withoutHead(text, number);
      return;
    }
    this.held.release();
    snapshot(new LogLine(number, text), this.sink);
  }

  private reject(line: number, reason: string, cpu: number | null): void {
    this.held.release();
    this.inStack = false;
    this.sink.reject(line, reason);
    this.sink.missed?.(line, cpu);
  }

  /** Comments, statistics, marks of loss, and noise. */
  private withoutHead(text: string, number: number): void {
    if (/^# tracer: /.test(text)) {
      this.held.release();
      this.sink.missed?.(number, null);
    }
    const loss = this.losses.read(text, number);
    if (loss !== null) this.keep(loss);
  }

  private frame(text: string): void {
    const frame = functionOfFrame(text);
    if (frame !== null) this.held.addFrame(frame);
  }

  /** Whether the line is the rest of one that a mail program wrapped. */
  private continues(text: string, quote: string): boolean {
    const { wrapped } = this;
    if (wrapped === null || wrapped.quote !== quote) return false;
    const joined = `${wrapped.text.trimEnd()} ${text.trimStart()}`;
    const head = headOf(joined) ?? bareHeadOf(joined);
    const record = head === null ? null : recordOf(head, wrapped.line);
    if (record === null) {
      this.rejectWrapped();
      return false;
    }
    this.wrapped = null;
    this.keep(record);
    return true;
  }

  private rejectWrapped(): void {
    if (this.wrapped !== null) this.reject(this.wrapped.line, BAD_BODY, null);
    this.wrapped = null;
  }
}

const NO_HEAD = 'The line does not begin as a line of a trace does.';
const BAD_BODY =
  'The event is not as the kernel prints it: the line may be cut, or another text is in it.';

/** The record of an event; null for what is no event, or not as it should be. */
function recordOf(head: Head, line: number): ObservedRecord | null {
  const [, name, body = ''] = EVENT.exec(head.rest) ?? [];
  if (name === undefined) return null;
  const record = recordOfBody(line, name, body);
  if (record === null) return null;
  record.cpu = head.cpu;
  record.at = head.at;
  record.comm = head.comm;
  record.pid = head.pid;
  record.tgid = head.tgid;
  if (record.context === 'unknown') record.context = head.context;
  return record;
}
