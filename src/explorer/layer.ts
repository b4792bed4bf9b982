import type { VisitedTable } from './visited-table.js';

/** Real states of one level of the paths to the targets. */
export interface Layer {
  readonly table: VisitedTable;
  /** Runs from the initial state to each. */
  readonly paths: number[];
  /** For each the steps that lead to it, three numbers each: node in the layer above, successor index, label. */
  readonly steps: number[][];
}

/** Numbers of a step in a layer. */
export const STEP_NUMBERS = 3;
