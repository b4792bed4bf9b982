/** NMIs and overflows that are to come right after certain micro-steps of the actions to come. */
import type { CounterSet } from '../arch/counter-set.js';
import { LATCH } from '../machine/actions.js';
import { LAST_K5, nmiMayLandAfter, STEP_CODES, stepName } from '../machine/micro-step.js';
import { Refused } from './refused.js';

export interface Injection {
  readonly step: number;
  /** After its n-th occurrence since the injections were set, counted from 1. */
  readonly occurrence: number;
  /** The machine's action: NMI, NMI_RESET, LATCH or SNAPSHOT. */
  readonly kind: number;
  readonly overflow: CounterSet;
  readonly throttle: CounterSet;
}

export class Injections {
  private left: Injection[] = [];
  private readonly occurrences = new Float64Array(STEP_CODES + 1);

  /** Forgets what has not landed and waits for these; refuses micro-steps after which no NMI can land. */
  set(injections: readonly Injection[]): void {
    this.left = [...injections];
    this.occurrences.fill(0);
    const refused = injections.findIndex(
      ({ kind, step }) => kind !== LATCH && !nmiMayLandAfter(step),
    );
    if (refused >= 0) {
      const name = stepName(injections[refused]!.step);
      throw new Refused('rule', `no NMI can land right after ${name}`, `/inject/${refused}/at`);
    }
  }

  /** Whether any are still to come. */
  get waiting(): boolean {
    return this.left.length > 0;
  }

  /** Takes those due after a micro-step; `endsLists` says that it was the last of the k5 ones. */
  due(executed: number, endsLists: boolean): Injection[] {
    const due = this.take(executed);
    return endsLists ? [...due, ...this.take(LAST_K5)] : due;
  }

  /** Refuses the request if one found no place to land. */
  expectLanded(): void {
    const [left] = this.left;
    if (left !== undefined) {
      const name = stepName(left.step);
      throw new Refused(
        'state',
        `the action never reached occurrence ${left.occurrence} of ${name}, where ${left.kind === LATCH ? 'a counter was to overflow' : 'an NMI was to land'}`,
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
