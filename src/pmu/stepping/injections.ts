/** NMIs that are to land right after certain micro-steps of the actions to come. */
import type { CounterSet } from '../arch/counter-set.js';
import { LAST_K5, nmiMayLandAfter, STEP_CODES, stepName } from '../machine/micro-step.js';
import { Refused } from './refused.js';

export interface Injection {
  readonly step: number;
  /** After its n-th occurrence since the injections were set, counted from 1. */
  readonly occurrence: number;
  readonly overflow: CounterSet;
  readonly throttle: CounterSet;
  /** A BPF program's branch snapshot in NMI context, instead of a PMI. */
  readonly snapshot: boolean;
  /** The status never clears, and the handler resets the PMU. */
  readonly reset?: boolean;
}

export class Injections {
  private left: Injection[] = [];
  private readonly occurrences = new Float64Array(STEP_CODES + 1);

  /** Forgets what has not landed and waits for these; refuses micro-steps after which none can land. */
  set(injections: readonly Injection[]): void {
    this.left = [...injections];
    this.occurrences.fill(0);
    const refused = injections.findIndex(({ step }) => !nmiMayLandAfter(step));
    if (refused >= 0) {
      const name = stepName(injections[refused]!.step);
      throw new Refused('rule', `no NMI can land right after ${name}`, `/inject/${refused}/at`);
    }
  }

  /** Whether NMIs are still to land. */
  get waiting(): boolean {
    return this.left.length > 0;
  }

  /** Takes the NMIs due after a micro-step; `endsLists` says that it was the last of the k5 ones. */
  due(executed: number, endsLists: boolean): Injection[] {
    const due = this.take(executed);
    return endsLists ? [...due, ...this.take(LAST_K5)] : due;
  }

  /** Refuses the request if an NMI found no place to land. */
  expectLanded(): void {
    const [left] = this.left;
    if (left !== undefined) {
      const name = stepName(left.step);
      throw new Refused(
        'state',
        `the action never reached occurrence ${left.occurrence} of ${name}, where an NMI was to land`,
        '/inject',
      );
    }
  }

  private take(step: number): Injection[] {
    const occurrence = this.occurrences[step]! + 1;
    this.occurrences[step] = occurrence;
    const isDue = (one: Injection): boolean => one.step === step && one.occurrence === occurrence;
    const due = this.left.filter(isDue);
    if (due.length > 0) {
      this.left = this.left.filter((one) => !isDue(one));
    }
    return due;
  }
}
