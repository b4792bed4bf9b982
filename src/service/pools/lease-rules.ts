/**
 * The lease protocol, without a database or a clock: what becomes of a run, of the attempt at it and of what its machine
 * reports. The service asks these rules about rows that it has locked; test/service/pools/lease-model.ts asks the same rules
 * in every interleaving of two instances, machines that die, and messages that are lost, late or doubled.
 *
 * A run has one lease at a time. Its fence is the fencing token of the newest: a machine shows the token that it was given
 * with everything it says, so that one which was given up for dead cannot speak for the run of another.
 */
import type { AttemptState, RunResult, RunState } from '../../store/vocabulary.js';

/** A run that has been begun so often and brought no result is over. */
export const ATTEMPTS_MAX = 3;

export interface RunPlace {
  readonly state: RunState;
  readonly fence: number;
  /** The lease has not been renewed in time, by the clock of the database. */
  readonly isOver: boolean;
}

/** How a machine stands that shows a fencing token. `stale`: the run has been given to another since. */
export type Standing = 'held' | 'expired' | 'stale';

export function standingOf({ state, fence, isOver }: RunPlace, token: number): Standing {
  if (token !== fence) return 'stale';
  return state === 'leased' && !isOver ? 'held' : 'expired';
}

/**
 * What a report is worth. `counts`: the run has its result; `late`: it is only kept, with its attempt; `again`: it was made
 * before; `other`: another was made before; `stale`: nobody was ever given this token.
 */
export type Worth = 'counts' | 'late' | 'again' | 'other' | 'stale';

export function worthOf(
  run: RunPlace,
  attempt: { readonly result: RunResult | null } | undefined,
  token: number,
  result: RunResult,
): Worth {
  if (attempt === undefined) return 'stale';
  if (attempt.result !== null) return attempt.result === result ? 'again' : 'other';
  return standingOf(run, token) === 'held' ? 'counts' : 'late';
}

/** How an attempt ends: by a report that counts, because its lease was not renewed, or because its machine begins afresh. */
export type Ending = Exclude<AttemptState, 'held'>;

interface RunAfter {
  readonly state: Exclude<RunState, 'leased'>;
  readonly result: RunResult | null;
}

/** What becomes of a run when an attempt at it ends; without a report it is the lab's fault. Those are tried again. */
export function runAfter(
  fence: number,
  isCancelled: boolean,
  result: RunResult = 'error',
  attemptsMax = ATTEMPTS_MAX,
): RunAfter {
  if (result !== 'error') return { state: 'finished', result };
  if (isCancelled) return { state: 'cancelled', result: null };
  return fence < attemptsMax
    ? { state: 'queued', result: null }
    : { state: 'finished', result: 'error' };
}
