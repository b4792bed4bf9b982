/** What the kernel's log says of the PMU, of KVM's load lists and of the kernel's own faults. */
import { ObservedRecord, type RecordKind, type RecordSink } from '../record.js';
import type { LogLine } from './log-line.js';
import type { Recogniser } from './log-reader.js';
import { sampleRateNotice } from './notices.js';

interface Message {
  /** Found anywhere in the line: two messages may have run together. */
  readonly pattern: RegExp;
  readonly kind: RecordKind;
  fill(record: ObservedRecord, groups: Record<string, string>, line: LogLine): void;
}

const MESSAGES: readonly Message[] = [
  {
    pattern: /clearing PMU state on CPU#(?<cpu>\d+)\s*$/,
    kind: 'pmu_cleared',
    fill: (record, { cpu }) => {
      record.cpu = Number(cpu);
    },
  },
  {
    pattern: /NMI handler \(\w+\) took too long to run: (?<ms>\d+)\.(?<us>\d{3}) msecs/,
    kind: 'notice',
    fill: (record, { ms, us }) => {
      record.count = (Number(ms) * 1000 + Number(us)) * 1000;
    },
  },
  {
    pattern: /perfevents: irq loop stuck!/,
    kind: 'notice',
    fill: () => {},
  },
  {
    pattern: /Not enough msr switch entries\. Can't add msr (?<msr>[0-9a-f]{1,8})\s*$/,
    kind: 'list_full',
    fill: (record, { msr }) => {
      record.msr = Number.parseInt(msr ?? '', 16);
    },
  },
  {
    pattern:
      /Write to unrecognized MSR 0x(?<msr>[0-9a-f]{1,8}) by (?<comm>.{1,15}?)(?: \(pid: (?<pid>\d+)\).*|\.?\s*)$/,
    kind: 'device_write',
    fill: (record, { msr, comm, pid }) => {
      record.msr = Number.parseInt(msr ?? '', 16);
      record.comm = comm ?? null;
      record.pid = pid === undefined ? null : Number(pid);
    },
  },
  {
    pattern: /Lockdown: (?<comm>\S+): .*raw MSR access is restricted/,
    kind: 'unreadable',
    fill: (record, { comm }, line) => {
      record.comm = comm ?? null;
      record.text = line.text.trim();
    },
  },
  {
    pattern:
      /^\s*(?:BUG: |Oops: |Oops\[|kernel BUG at |Kernel panic - |general protection fault\b|watchdog: BUG: )/,
    kind: 'fault',
    fill: (record, _, line) => {
      record.text = line.text.trim();
    },
  },
];

/** Only these lines are looked at. */
const ANY =
  /too long|PMU state|irq loop|msr switch|unrecognized MSR|raw MSR|BUG|Oops|panic|protection fault/;

/** How such a message begins; where none of the above fits, it was cut into. */
const BEGUN =
  /lowering kernel\.perf_event_max_sample_rate to|clearing PMU state on CPU|Not enough msr switch entries|Write to unrecognized MSR/;

export class KernelMessages implements Recogniser {
  constructor(private readonly sink: RecordSink) {}

  take(line: LogLine): boolean {
    if (!ANY.test(line.text)) return false;
    const notice = sampleRateNotice(line.text, line.number);
    let found = notice !== null;
    if (notice !== null) this.add(line, notice);
    for (const { pattern, kind, fill } of MESSAGES) {
      const match = pattern.exec(line.text);
      if (match === null) continue;
      const record = new ObservedRecord(line.number, kind);
      if (kind === 'notice') record.name = match[0].trim();
      fill(record, match.groups ?? {}, line);
      this.add(line, record);
      found = true;
    }
    if (!found && BEGUN.test(line.text)) {
      this.sink.reject(line.number, "not the whole of the kernel's message");
    }
    return found;
  }

  /** What the message does not say, the prefix may. */
  private add(line: LogLine, record: ObservedRecord): void {
    record.at ??= line.at;
    record.cpu ??= line.cpu;
    record.pid ??= line.pid;
    this.sink.record(record);
  }
}
