/** Results of tests in the text. They judge no CPU, but tell the code's failures from the lab's. */
import type { ObservedRecord } from '../record.js';

/** Listed of those that passed or were skipped, and as many of the others. */
const LISTED_MAX = 250;
const CHARACTERS_MAX = 300;

export interface TestCounts {
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
  /** They broke, or their result is unknown. */
  readonly error: number;
}

export interface ListedTest {
  readonly name: string;
  readonly result: NonNullable<ObservedRecord['result']>;
  readonly text?: string;
  readonly duration_seconds?: number;
}

export class Tests {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** The test broke, or its result is unknown. */
  broken = 0;
  /** The lab could not run a job: what its tests gave says nothing. */
  labFailed = false;
  private readonly bad: (readonly [number, ListedTest])[] = [];
  private readonly good: (readonly [number, ListedTest])[] = [];

  job(record: ObservedRecord): void {
    if (record.result !== 'error') return;
    this.labFailed = true;
    this.list(this.bad, record);
  }

  record(record: ObservedRecord): void {
    const { result } = record;
    if (result === 'pass') this.passed += 1;
    else if (result === 'fail') this.failed += 1;
    else if (result === 'skip') this.skipped += 1;
    else this.broken += 1;
    this.list(result === 'pass' || result === 'skip' ? this.good : this.bad, record);
  }

  get total(): number {
    return this.passed + this.failed + this.skipped + this.broken;
  }

  get allSkipped(): boolean {
    return this.skipped > 0 && this.skipped === this.total && !this.labFailed;
  }

  get counts(): TestCounts {
    return { pass: this.passed, fail: this.failed, skip: this.skipped, error: this.broken };
  }

  /** In their order. */
  get listed(): ListedTest[] {
    return [...this.bad, ...this.good].sort(([a], [b]) => a - b).map(([, test]) => test);
  }

  private list(tests: (readonly [number, ListedTest])[], record: ObservedRecord): void {
    if (tests.length >= LISTED_MAX) return;
    const { name, result, text, attributes } = record;
    const seconds = Number(attributes?.duration_seconds ?? Number.NaN);
    const test: ListedTest = {
      name: (name ?? '?').slice(0, CHARACTERS_MAX) || '?',
      result: result ?? 'unknown',
      ...(text !== null && text !== '' && { text: text.slice(0, CHARACTERS_MAX) }),
      ...(Number.isFinite(seconds) && { duration_seconds: seconds }),
    };
    tests.push([this.total, test]);
  }
}
