/** Runs many searches, a few at a time, until all are done or somebody stops them. */
import { signal } from '@preact/signals';
import { asProblem, type Problem } from '../api/problem.js';
import { search } from '../worlds/searches.js';

const AT_A_TIME = 3;

export interface Batch {
  readonly total: number;
  readonly done: number;
}

export const batch = signal<Batch | undefined>(undefined);
export const batchProblem = signal<Problem | undefined>(undefined);
let abort = new AbortController();

export async function runAll(scenarios: readonly string[]): Promise<void> {
  abort.abort();
  const own = new AbortController();
  abort = own;
  batchProblem.value = undefined;
  batch.value = { total: scenarios.length, done: 0 };
  const left = [...scenarios];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      await search(next, own.signal);
      if (own.signal.aborted) return;
      batch.value = { total: scenarios.length, done: (batch.peek()?.done ?? 0) + 1 };
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
  } catch (error) {
    if (own.signal.aborted) return;
    own.abort();
    batchProblem.value = asProblem(error);
  }
  batch.value = undefined;
}

export function stopAll(): void {
  abort.abort();
  batch.value = undefined;
}
