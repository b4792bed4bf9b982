import type { StopReason } from './budget.js';
import type { Evidence } from './evidence.js';
import type { Property } from './model.js';
import type { Verdict } from './verdicts.js';

export type { Verdict };

export interface PropertyResult {
  readonly id: string;
  readonly kind: Property['kind'];
  readonly verdict: Verdict;
  /** Stored states (random walks: walks) that violate or witness it, at any depth searched. */
  readonly count: number;
  /** Null if there is none, or if the search was cancelled before it was rebuilt. */
  readonly evidence: Evidence | null;
}

export interface ExploreResult {
  /** The worst of the properties: violated, then undecided, then unreachable, then holds. */
  readonly verdict: Verdict;
  /** Every reachable state was seen. */
  readonly complete: boolean;
  /** What ended the search early; null if it is complete. */
  readonly cut: StopReason | null;
  /** Null for random walks, which store no states. */
  readonly distinctStates: number | null;
  /** Transitions; the initial state is not counted. */
  readonly totalStates: number;
  /** Steps from the initial state to the deepest state reached. */
  readonly depth: number;
  readonly widestLevel: number;
  /** Wall-clock time of the search and of rebuilding the counterexamples. */
  readonly millis: number;
  /** Memory of states and hash slots at the end, which is also its peak. */
  readonly bytes: number;
  /** Of the distinct states, those that an earlier run of this search had kept. */
  readonly restoredStates: number;
  readonly properties: readonly PropertyResult[];
}

export function verdictOf(kind: Property['kind'], found: boolean, complete: boolean): Verdict {
  if (found) return kind === 'always' ? 'violated' : 'witnessed';
  if (!complete) return 'undecided';
  return kind === 'always' ? 'holds' : 'unreachable';
}

/** The overall verdict. A search without properties holds if it is complete. */
export function worstVerdict(verdicts: readonly Verdict[], complete: boolean): Verdict {
  for (const verdict of ['violated', 'undecided', 'unreachable'] as const)
    if (verdicts.includes(verdict)) return verdict;
  return verdicts.length === 0 && !complete ? 'undecided' : 'holds';
}
