/** Results of tests in the text. They judge no CPU, but tell the code's failures from the lab's. */
import type { ObservedRecord } from '../record.js';

export class Tests {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** The test broke, or nobody knows what became of it. */
  broken = 0;

  record({ result }: ObservedRecord): void {
    if (result === 'pass') this.passed += 1;
    else if (result === 'fail') this.failed += 1;
    else if (result === 'skip') this.skipped += 1;
    else this.broken += 1;
  }

  get total(): number {
    return this.passed + this.failed + this.skipped + this.broken;
  }

  get allSkipped(): boolean {
    return this.skipped > 0 && this.skipped === this.total;
  }
}
