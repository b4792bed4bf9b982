import type { Budget, Limits, StopReason } from './budget.js';
import type { Exchange } from './exchange.js';
import type { Gauge } from './gauge.js';
import type { KeptLevels } from './kept-levels.js';
import type { Model } from './model.js';
import type { Path } from './path.js';

/**
 * Which order to search in.
 * - `breadth-first`: complete, and every counterexample it reports is of minimal length.
 * - `depth-first`: complete, one run a property, of any length. One worker.
 * - `random-walk`: `walks` runs of at most `depthMax` steps; never complete. Seed and number identify a walk.
 */
export type Strategy =
  | { readonly kind: 'breadth-first' }
  | { readonly kind: 'depth-first' }
  | { readonly kind: 'random-walk'; readonly seed: number; readonly walks: number };

/** The input of a strategy: one worker's share of one search. */
export interface Run {
  readonly model: Model;
  /** Search states folded by the model's symmetry. */
  readonly fold: boolean;
  readonly limits: Limits;
  readonly stopAtFirstViolation: boolean;
  readonly statesExpected: number;
  readonly budget: Budget;
  readonly gauge: Gauge;
  readonly share: Share;
  /** The connection to the other workers; null if there are none. */
  readonly exchange: Exchange | null;
  /** What an earlier run of this search has found, and where this one keeps it; null if nothing is kept. */
  readonly kept: KeptLevels | null;
}

/** Worker `index` of `of`, from 0. */
export interface Share {
  readonly index: number;
  readonly of: number;
}

/** The findings of one worker. Survives structured cloning; its states are in shared memory. */
export interface Findings {
  /** Null for random walks, which store no states. */
  readonly distinctStates: number | null;
  /** Transitions taken, the initial state not counted. */
  readonly totalStates: number;
  /** Steps from the initial state to the deepest state reached. */
  readonly depth: number;
  /** States in the widest level; 0 if there are no levels. */
  readonly widestLevel: number;
  readonly bytes: number;
  /** Null if this worker's share is complete. */
  readonly cut: StopReason | null;
  /** Levels 0 to levelsComplete-1 were expanded in full. */
  readonly levelsComplete: number;
  /** One for each property of the model. */
  readonly found: readonly Found[];
  /** The states in breadth-first order, for rebuilding counterexamples; null for other strategies. */
  readonly levels: Levels | null;
  /** Of the distinct states, those that were kept by an earlier run; absent for other strategies. */
  readonly restoredStates?: number;
}

/** Where a property was violated or witnessed. */
export interface Found {
  /** Distinct states (random walks: walks), at any depth. */
  readonly count: number;
  /** Depth of the first one; -1 if there is none. */
  readonly depth: number;
  /** All states at that depth, stored contiguously; empty for depth-first search and random walks. */
  readonly states: Int32Array;
  /** A run that ends in one; null for breadth-first search, which rebuilds all shortest ones. */
  readonly path: Path | null;
  /** The random walk it was found on; -1 otherwise. */
  readonly walk: number;
}

/** Level d is the states from `starts[d]` up to `starts[d+1]`, or to the end for the last one. */
export interface Levels {
  readonly states: Int32Array;
  readonly count: number;
  readonly starts: readonly number[];
}

/** Bits of the properties whose finding is a violation. */
export function alwaysMask(model: Model): number {
  return model.properties.reduce(
    (mask, property, p) => (property.kind === 'always' ? mask | (1 << p) : mask),
    0,
  );
}
