/** Closed lists of what the tables of pools hold. The lease protocol has no other states. */

/** A run: one of the copies of a pool job. */
export const RUN_STATES = ['queued', 'leased', 'finished', 'cancelled'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** An attempt at a run: held as long as its lease is, then ended in one of three ways. */
export const ATTEMPT_STATES = ['held', 'completed', 'expired', 'reset'] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];

/** How a run went, the worst first. `fail` is the code's fault, `error` the lab's. */
export const RUN_RESULTS = ['fail', 'error', 'pass', 'skip'] as const;
export type RunResult = (typeof RUN_RESULTS)[number];
