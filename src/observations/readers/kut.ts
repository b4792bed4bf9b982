/**
 * kvm-unit-tests: a line for each result, a summary, and run_tests' own line for the whole test. Their PMU facts are the guest's.
 */
import type { RecordSink } from '../record.js';
import type { LogLine } from './log-line.js';
import { logReader, type Recogniser } from './log-reader.js';
import { type Result, TestResults } from './test-results.js';

const WORDS = 'PASS|FAIL|SKIP|XFAIL|XPASS|KFAIL|ABORT';
const RESULT = new RegExp(`^(${WORDS}): (.+)$`);
const WHOLE_TEST = new RegExp(`^(${WORDS}) ([\\w-]+)(?: \\((.*)\\))?$`);
const SUMMARY = /^SUMMARY: (\d+) tests?(?:, (\d+) unexpected failures)?(?:, .*)?$/;
/** Of qemu. */
const KERNEL = /-kernel (\S+)\.flat\b/;
/** What pmu_pebs prints to explain a failure that it has reported. */
const DIAGNOSTIC = /^The \w+ \(.*\) doesn't match with /;
const WATCHDOG = /nmi_watchdog not equal to 0/;

export const looksLikeKut = (line: string): boolean =>
  RESULT.test(line) || SUMMARY.test(line) || WHOLE_TEST.test(line) || testOf(line) !== null;

export class KvmUnitTests implements Recogniser {
  /** The test that the command names. */
  private test = '';
  private tests = 0;
  private failures = 0;
  private skipReason = '';
  /** The test whose results have been recorded one by one, as many as its summary counts. */
  private complete = '';

  constructor(
    private readonly results: TestResults,
    private readonly sink: RecordSink,
  ) {}

  take(line: LogLine): boolean {
    const text = line.text.trim();
    const test = testOf(text);
    if (test !== null) this.begin(test);
    else if (RESULT.test(text)) this.result(line, text);
    else if (SUMMARY.test(text)) this.summary(line, text);
    else if (WHOLE_TEST.test(text)) this.wholeTest(line, text);
    else return false;
    return true;
  }

  private begin(test: string): void {
    this.test = test;
    this.tests = 0;
    this.failures = 0;
    this.skipReason = '';
    this.complete = '';
  }

  private result(line: LogLine, text: string): void {
    const [, word = '', name = ''] = RESULT.exec(text) ?? [];
    if (word === 'FAIL' && DIAGNOSTIC.test(name)) return;
    const result = resultOf(word);
    this.tests += 1;
    if (result === 'fail') this.failures += 1;
    if (result === 'skip') this.skipReason = name;
    this.results.add(line, { name: this.test === '' ? name : `${this.test}/${name}`, result });
  }

  private summary(line: LogLine, text: string): void {
    const [, tests, failures = '0'] = SUMMARY.exec(text) ?? [];
    if (Number(tests) === this.tests && Number(failures) === this.failures) {
      this.complete = this.test;
    } else {
      const listed = `${this.tests} tests with ${this.failures} failures are listed`;
      this.results.reject(line, `${listed}, the summary counts ${tests} with ${failures}`);
    }
    this.tests = 0;
    this.failures = 0;
  }

  private wholeTest(line: LogLine, text: string): void {
    const [, word = '', name = '', reason = ''] = WHOLE_TEST.exec(text) ?? [];
    if (WATCHDOG.test(reason)) this.sink.fact(line.number, 'nmi_watchdog', 'on');
    const broken = /^(?:timeout|terminated|killed|exited)\b/.test(reason);
    const result = broken ? 'error' : resultOf(word);
    if (name !== this.complete || result === 'error') {
      const why = result === 'skip' ? this.skipReason : '';
      this.results.add(line, { name, result, text: why === '' ? reason : why });
    }
    this.begin('');
  }
}

/** The test that a command line runs. */
function testOf(line: string): string | null {
  const path = line.includes('qemu') ? KERNEL.exec(line)?.[1] : undefined;
  return path === undefined ? null : path.slice(path.lastIndexOf('/') + 1);
}

function resultOf(word: string): Result {
  switch (word) {
    case 'PASS':
      return 'pass';
    case 'FAIL':
    case 'XPASS':
      return 'fail';
    case 'ABORT':
      return 'error';
    default:
      // SKIP, and failures that are expected.
      return 'skip';
  }
}

export const kut = logReader((sink) => [new KvmUnitTests(new TestResults(sink), sink)]);
