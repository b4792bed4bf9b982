/**
 * bpftrace, as text or as JSON lines (`-f json`), of programs that print `nsecs cpu msr value` of a WRMSR, all but the time and
 * the CPU in hexadecimal; with a fifth column, `nsecs cpu msr host guest`, an entry of the lists that KVM loads.
 */
import type { Reader, RecordSink } from '../record.js';
import { ObservedRecord } from '../record.js';
import { valueOfHex } from '../value.js';

const WRITE = /^(\d+) (\d+) ([0-9a-f]{1,8}) ([0-9a-f]{1,16})(?: ([0-9a-f]{1,16}))?$/;
const BEGUN = /^\d{6,} (\d+) /;
const LOST = /^(?:WARNING: )?(?:Lost|Skipped) (\d+) events?\b/i;

export const looksLikeBpftrace = (line: string): boolean =>
  /^Attach(?:ing|ed) \d+ probes?(?:\.\.\.)?$/.test(line) ||
  looksLikeJson(line) ||
  (BEGUN.test(line) && WRITE.test(line));

const looksLikeJson = (line: string): boolean =>
  /^\{ ?"type": ?"(?:attached_probes|printf|lost_events|map|time|hist|stats|join|syscall|value)", ?"data": ?/.test(
    line,
  );

export class Bpftrace implements Reader {
  /** Of JSON: what has been printed of a line that has not ended. */
  private printed = '';
  private printedLine = 0;

  constructor(private readonly sink: RecordSink) {}

  line(text: string, number: number): void {
    if (!/^\{ ?"type"/.test(text)) this.output(text, number);
    else if (looksLikeJson(text)) this.message(text, number);
    else this.sink.reject(number, 'not a message of bpftrace');
  }

  end(): void {
    if (BEGUN.test(this.printed)) this.sink.reject(this.printedLine, 'the printed line has no end');
  }

  private message(text: string, number: number): void {
    const message = parse(text);
    if (message === null) this.sink.reject(number, 'not JSON');
    const { type, data } = message ?? {};
    if (type === 'printf' && typeof data === 'string') this.pieces(data, number);
    if (type === 'lost_events') {
      const { events } = (data ?? {}) as { events?: unknown };
      this.lost(number, typeof events === 'number' ? events : null);
    }
  }

  private pieces(data: string, number: number): void {
    const lines = (this.printed + data).split('\n');
    this.printed = lines.pop()?.slice(-1024) ?? '';
    this.printedLine = number;
    for (const line of lines) this.output(line, number);
  }

  private output(text: string, number: number): void {
    const lost = LOST.exec(text)?.[1];
    if (lost !== undefined) this.lost(number, Number(lost));
    const [, at, cpu, msr, value, guest] = WRITE.exec(text) ?? [];
    if (at === undefined || cpu === undefined || msr === undefined || value === undefined) {
      const begun = BEGUN.exec(text)?.[1];
      if (begun !== undefined) {
        this.sink.reject(number, 'not "nsecs cpu msr value"', Number(begun));
      }
      return;
    }
    const record = new ObservedRecord(number, guest === undefined ? 'write' : 'load_list');
    record.at = at;
    record.cpu = Number(cpu);
    record.msr = Number.parseInt(msr, 16);
    record.value = valueOfHex(value);
    record.guest = guest === undefined ? null : valueOfHex(guest);
    this.sink.record(record);
  }

  /** Of no CPU in particular. */
  private lost(number: number, count: number | null): void {
    const record = new ObservedRecord(number, 'loss');
    record.count = count;
    this.sink.record(record);
  }
}

function parse(text: string): { type?: unknown; data?: unknown } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const bpftrace = (sink: RecordSink): Reader => new Bpftrace(sink);
