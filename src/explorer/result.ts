import type { StopReason } from './budget.js';
import type { Evidence } from './evidence.js';
import type { Property } from './model.js';

/**
 * - `holds`, `violated`: of an 'always' property. `witnessed`, `unreachable`: of a 'sometimes' property.
 * - `undecided`: the search was cut before it could tell.
 */
export type Verdict = 'holds' | 'violated' | 'witnessed' | 'unreachable' | 'undecided';

export interface PropertyResult {
  readonly id: string;
  readonly kind: Property['kind'];
  readonly verdict: Verdict;
  /** Stored states (random walks: walks) that violate or witness it, at any depth, as far as the search went. */
  readonly count: number;
  /** Null when there is none, or when the search was cancelled before it was rebuilt. */
  readonly evidence: Evidence | null;
}

export interface ExploreResult {
  /** The worst of the properties: violated, then undecided, then unreachable, then holds. */
  readonly verdict: Verdict;
  /** Every reachable state was seen. */
  readonly complete: boolean;
  /** What ended the search early; null when it is complete. */
  readonly cut: StopReason | null;
  /** Null for random walks, which remember no states. */
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
  readonly properties: readonly PropertyResult[];
}

export function verdictOf(kind: Property['kind'], found: boolean, complete: boolean): Verdict {
  if (found) return kind === 'always' ? 'violated' : 'witnessed';
  if (!complete) return 'undecided';
  return kind === 'always' ? 'holds' : 'unreachable';
}

/** The verdict of the whole. A search without properties holds when it is complete. */
export function worstVerdict(verdicts: readonly Verdict[], complete: boolean): Verdict {
  for (const verdict of ['violated', 'undecided', 'unreachable'] as const)
    if (verdicts.includes(verdict)) return verdict;
  return verdicts.length === 0 && !complete ? 'undecided' : 'holds';
}
