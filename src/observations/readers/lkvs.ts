/** lkvs: `[RESULT][pmu_tests.sh -t timed_pebs_msr]  [PASS]  [0]  [0.025s]`. */
import type { LogLine } from './log-line.js';
import { logReader, type Recogniser } from './log-reader.js';
import { type Result, TestResults } from './test-results.js';

const ROW = /^\[RESULT\]\s*\[(.+?)\]\s*\[(\w+)\]\s*\[(-?\d+)\]\s*\[[\d.]+s\]\s*$/;

export const looksLikeLkvs = (line: string): boolean => /^\[RESULT\]\s*\[/.test(line);

/** BLOCK: the test could not be run. */
const RESULTS: Readonly<Record<string, Result>> = {
  PASS: 'pass',
  FAIL: 'fail',
  BLOCK: 'error',
  TIMEOUT: 'error',
  SKIP: 'skip',
  NA: 'skip',
};

export class Lkvs implements Recogniser {
  constructor(private readonly results: TestResults) {}

  take(line: LogLine): boolean {
    if (!looksLikeLkvs(line.text)) return false;
    const [, command, word = '', exit] = ROW.exec(line.text) ?? [];
    if (command === undefined) {
      this.results.reject(line, 'not a whole row: test, result, exit value and duration');
      return true;
    }
    const name = /(?:^|\s)-t\s+(\S+)/.exec(command)?.[1] ?? command;
    const text = `${command}: exit value ${exit}`;
    this.results.add(line, { name, result: RESULTS[word] ?? 'unknown', text });
    return true;
  }
}

export const lkvs = logReader((sink) => [new Lkvs(new TestResults(sink))]);
