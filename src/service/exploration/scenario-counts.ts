/** Distinct states, transitions and depth of each scenario, searched in full and without folding; a test compares them. */
export interface ScenarioCounts {
  readonly distinctStates: number;
  readonly totalStates: number;
  readonly depth: number;
}

export const SCENARIO_COUNTS: Readonly<Record<string, ScenarioCounts>> = {};
