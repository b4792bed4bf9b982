/** `perf trace -e msr:*` as text: arguments by name, MSRs by Linux's names, what is zero left out, no CPU. */
import type { MakeReader, ObservedRecord, Reader, RecordSink } from '../record.js';
import { sampleRateNotice } from './notices.js';
import { lossOfPerf } from './perf-loss.js';
import { recordOfFields } from './tracepoint-fields.js';
import { eventOf, isRead } from './tracepoints.js';

export const makePerfTraceReader: MakeReader = (sink) => new PerfTraceReader(sink);

/** `     0.014 CPU 0/KVM/4242 msr:write_msr(msr: IA32_PEBS_ENABLE, val: 1)`: the thread is behind the last slash. */
const LINE =
  /^(\d{1,15}\.\d{1,9})\s+(?:\([^()]{0,32}\):\s+)?(?:(.{1,32}?)\/(\d{1,10})\s+)?([a-z]\w*):(\w+)\((.*)\)\s*$/;
/** The same line, cut. */
const BEGUN = /^\d{1,15}\.\d{1,9}\s.*\b(?:msr|kvm):\w*\(/;

export const looksLikePerfTrace = (line: string): boolean => LINE.test(line.trimStart());

class PerfTraceReader implements Reader {
  constructor(private readonly sink: RecordSink) {}

  line(line: string, number: number): void {
    const text = line.trimStart();
    const notice = sampleRateNotice(text, number);
    if (notice !== null) this.sink.record(notice);
    const match = LINE.exec(text);
    if (match === null) {
      const loss = lossOfPerf(text, number);
      if (loss !== null) this.sink.record(loss);
      else if (BEGUN.test(text))
        this.sink.reject(number, 'The line does not end as perf trace prints it.');
      return;
    }
    const [, at = '', comm, tid, , name = '', body = ''] = match;
    const record = recordOf(number, name, body);
    if (record === null) {
      this.sink.reject(number, `The arguments of ${name} are not as perf trace prints them.`);
      return;
    }
    record.at = at;
    record.comm = comm ?? null;
    record.pid = tid === undefined ? null : Number(tid);
    this.sink.record(record);
  }

  end(): void {}
}

const ARGUMENT = /^(\w+): ([\w-]+)$/;

function recordOf(line: number, name: string, body: string): ObservedRecord | null {
  if (!isRead(name)) return eventOf(line, name, body);
  const fields = new Map<string, string>();
  for (const argument of body === '' ? [] : body.split(', ')) {
    const [, field, value] = ARGUMENT.exec(argument) ?? [];
    if (field === undefined || value === undefined) return null;
    fields.set(field, value);
  }
  return recordOfFields(line, name, fields, { zerosOmitted: true });
}
