/**
 * The lines that collectors print: `cpu=3 3f1=0000000000000001`, rdmsr's complaints, and the comment between two snapshots,
 * `# pebs_events=0 ts=2026-11-20T10:00:00Z boot_id=6f0c7b1e`.
 */
import { isFact } from '../facts.js';
import type { RecordSink } from '../record.js';
import { msrOf } from '../registers.js';
import { type LogLine, recordOf } from './log-line.js';
import type { Recogniser } from './log-reader.js';
import { PrintedNumbers } from './printed-numbers.js';

export const looksLikeReading = (line: string): boolean => /^cpu=\d+ (?:0x)?[0-9a-f]+=/i.test(line);

/** A CPU and what looks like an MSR: such a line should give a value. */
const KEYED = /^\s*cpu=(\d*)\s+((?:(?:0x)?[0-9a-f]{2,8}|\w{0,9}pebs_en\w{0,9})=.*)$/i;
/** The same behind another text: of which machine, or whether it was printed over, nobody can tell. */
const BEHIND = /\S\s*\bcpu=(\d{1,5})\s+(?:0x)?3f1=/i;

/** What rdmsr and the shell say where there is no value; the groups are the CPU and the MSR. */
const COMPLAINTS: readonly RegExp[] = [
  /rdmsr: ?CPU (?<cpu>\d+) cannot read MSR 0x(?<msr>[0-9a-f]+)/i,
  /rdmsr: ?No CPU (?<cpu>\d+)/,
  /rdmsr: ?CPU (?<cpu>\d+) doesn't support MSRs/,
  /rdmsr: ?(?:\S.*)/,
];

/** Records a complaint; whether the line is one. */
export function complaint(line: LogLine, sink: RecordSink): boolean {
  for (const pattern of COMPLAINTS) {
    const match = pattern.exec(line.text);
    if (match === null) continue;
    const record = recordOf(line, 'unreadable');
    record.cpu = match.groups?.cpu === undefined ? null : Number(match.groups.cpu);
    record.msr = match.groups?.msr === undefined ? null : Number.parseInt(match.groups.msr, 16);
    record.text = match[0].replace(/^rdmsr: ?/, '');
    sink.record(record);
    return true;
  }
  return false;
}

/** Records a snapshot's comment, all of whose words are `name=value`; whether the line is one. */
export function snapshot(line: LogLine, sink: RecordSink): boolean {
  const words = /^#\s*(\w+=\S*(?:\s+\w+=\S*)*)\s*$/.exec(line.text)?.[1]?.split(/\s+/);
  if (words === undefined) return false;
  const attributes = Object.fromEntries(
    words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
  const names = Object.keys(attributes);
  if (!names.some((name) => name === 'ts' || name === 'pebs_events' || isFact(name))) return false;
  const record = recordOf(line, 'snapshot');
  record.at = attributes.ts ?? line.at;
  record.attributes = attributes;
  sink.record(record);
  for (const [name, value] of Object.entries(attributes)) {
    if (isFact(name)) sink.fact(line.number, name, value);
  }
  return true;
}

/** Records or rejects what a value's text says. */
export function reading(
  line: LogLine,
  sink: RecordSink,
  numbers: PrintedNumbers,
  { cpu, msr, text }: { cpu: number | null; msr: number; text: string },
): void {
  const printed = numbers.read(text, msr);
  if ('refuse' in printed) {
    sink.refuse(`Line ${line.number}: ${printed.refuse}`);
  } else if ('reject' in printed) {
    sink.reject(line.number, printed.reject, cpu ?? undefined);
  } else {
    const record = recordOf(line, 'reading');
    record.cpu = cpu;
    record.msr = msr;
    record.value = printed.value;
    record.known = printed.known;
    sink.record(record);
  }
}

/** `cpu=3 3f1=1 38f=f000000ff`, and nothing else in the line. */
export function keyedReading(
  line: LogLine,
  text: string,
  sink: RecordSink,
  numbers: PrintedNumbers,
): boolean {
  const [, cpu, pairs] = KEYED.exec(text) ?? [];
  if (cpu === undefined || pairs === undefined) {
    const behind = BEHIND.exec(text)?.[1];
    if (behind === undefined) return false;
    sink.reject(line.number, 'a reading stands behind another text', Number(behind));
    return true;
  }
  const read = pairs
    .trim()
    .split(/\s+/)
    .map((word) => {
      const [, key, text] = /^([^=]+)=([0-9a-fx]+)$/i.exec(word) ?? [];
      const msr = key === undefined ? null : msrOf(key);
      return msr === null || text === undefined ? null : { msr, text };
    });
  const whole = read.filter((pair) => pair !== null);
  if (cpu === '' || whole.length < read.length) {
    const reason = 'a reading is "cpu=N 3f1=<hex>" and nothing else';
    sink.reject(line.number, reason, cpu === '' ? undefined : Number(cpu));
    return true;
  }
  for (const { msr, text } of whole) reading(line, sink, numbers, { cpu: Number(cpu), msr, text });
  return true;
}

/** All three, for texts that hold other things too. */
export class ReadingLines implements Recogniser {
  private readonly numbers = new PrintedNumbers();

  constructor(private readonly sink: RecordSink) {}

  take(line: LogLine): boolean {
    return (
      complaint(line, this.sink) ||
      snapshot(line, this.sink) ||
      keyedReading(line, line.text, this.sink, this.numbers)
    );
  }
}
