/** Where the readers of test logs put results, so that what two layers report counts once. */
import type { ObservedRecord, RecordSink } from '../record.js';
import { type LogLine, recordOf } from './log-line.js';

export type Result = NonNullable<ObservedRecord['result']>;

export interface TestResult {
  readonly name: string;
  readonly result: Result;
  readonly text?: string | undefined;
}

/** Logs with more tests are recorded too, only without looking for repetitions. */
const REMEMBERED = 20_000;

export class TestResults {
  /** What the tests of the current run have said themselves, as LAVA's parsers spell their names. */
  private readonly said = new Set<string>();
  /** Suite and test of what LAVA has reported. */
  private readonly reported = new Set<string>();

  constructor(private readonly sink: RecordSink) {}

  /** Another run begins: its tests may have the names of the last one's. */
  newRun(): void {
    this.said.clear();
  }

  /** What a test says in its own output. */
  add(line: LogLine, { name, result, text }: TestResult): void {
    this.remember(name);
    const record = recordOf(line, 'test');
    record.name = name;
    record.result = result;
    record.text = text === undefined || text === '' ? null : text;
    this.sink.record(record);
  }

  /** What LAVA reports of a test; left out where the test has said so itself, or LAVA twice. */
  report(line: LogLine, suite: string | null, { name, result, text }: TestResult): void {
    const whole = suite === null ? name : `${suite}/${name}`;
    if (this.reported.has(whole)) return;
    if (this.reported.size < REMEMBERED) this.reported.add(whole);
    if (!this.said.has(spelled(name))) this.add(line, { name: whole, result, text });
  }

  reject(line: LogLine, reason: string): void {
    this.sink.reject(line.number, reason);
  }

  /** Of several tests with one name, LAVA's parsers call the second `name_dup2`. */
  private remember(name: string): void {
    if (this.said.size >= REMEMBERED) return;
    const first = spelled(name);
    let spelling = first;
    for (let n = 2; this.said.has(spelling); n++) spelling = `${first}_dup${n}`;
    this.said.add(spelling);
  }
}

const spelled = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
