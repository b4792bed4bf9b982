/** What LAVA's test shell prints for its dispatcher, and what the dispatcher's log says of results. */
import type { LogLine } from './log-line.js';
import type { Recogniser } from './log-reader.js';
import type { Result, TestResults } from './test-results.js';

const SIGNAL = /<LAVA_SIGNAL_(?<signal>[A-Z]+) (?<rest>[^<>]*)>\s*$/;

export const looksLikeLavaSignal = (line: string): boolean => SIGNAL.test(line);

export class LavaSignals implements Recogniser {
  private suite: string | null = null;

  constructor(private readonly results: TestResults) {}

  take(line: LogLine): boolean {
    if (line.result !== null) {
      const { suite, name, result } = line.result;
      this.results.report(line, suite, { name, result: resultOf(result) });
      return true;
    }
    if (!line.text.includes('LAVA_SIGNAL_')) return false;
    const { signal = '', rest = '' } = SIGNAL.exec(line.text)?.groups ?? {};
    if (signal === 'STARTRUN') this.newRun(rest.split(' ')[0] ?? null);
    else if (signal === 'ENDRUN') this.newRun(null);
    else if (signal === 'TESTCASE') this.testCase(line, rest);
    else if (signal === '') this.cut(line);
    return true;
  }

  private newRun(suite: string | null): void {
    this.suite = suite;
    this.results.newRun();
  }

  private testCase(line: LogLine, rest: string): void {
    const fields = new Map(
      rest.split(' ').map((word) => [word.split('=', 1)[0], word.slice(word.indexOf('=') + 1)]),
    );
    const name = fields.get('TEST_CASE_ID');
    const result = fields.get('RESULT');
    if (name === undefined || result === undefined) {
      this.cut(line);
    } else {
      const text = [fields.get('MEASUREMENT'), fields.get('UNITS')].filter(Boolean).join(' ');
      this.results.report(line, this.suite, { name, result: resultOf(result), text });
    }
  }

  /** It may have begun another run: results that follow belong to no suite that is known. */
  private cut(line: LogLine): void {
    if (!/TESTCASE/.test(line.text)) this.newRun(null);
    this.results.reject(line, 'not a whole LAVA signal');
  }
}

const resultOf = (word: string): Result =>
  word === 'pass' || word === 'fail' || word === 'skip' ? word : 'unknown';
