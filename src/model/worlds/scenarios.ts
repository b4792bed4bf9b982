/**
 * Named worlds to explore, each with what is known of it, its verdicts and its counts, in its row.
 *
 * A scenario that must be violated is as welcome as one that must hold.
 */
import { findKernel } from '../../pmu/kernels/index.js';
import { guestHazards } from './guest-hazards.js';
import { hostHazards } from './host-hazards.js';
import { matrix } from './matrix.js';
import { reports } from './reports.js';
import type { Scenario } from './scenario.js';

export type { Scenario } from './scenario.js';

export const SCENARIOS: readonly Scenario[] = [
  ...matrix,
  ...hostHazards,
  ...guestHazards,
  ...reports,
];
/** Those of the matrix kernel × platform class × NMI timing. */
export const MATRIX_SCENARIOS: readonly Scenario[] = matrix;

/** By id; a kernel's alias in the id of a matrix scenario will do. */
export function findScenario(id: string): Scenario | undefined {
  const canonical = canonicalId(id);
  return SCENARIOS.find((known) => known.id === canonical);
}

/** The first scenario of a world: the others differ in CPU model, kernel and verdicts alone. */
export function findWorld(world: string): Scenario | undefined {
  return SCENARIOS.find((known) => known.world === world);
}

/** The id with the kernel's alias in it resolved. */
export function canonicalId(id: string): string {
  return id.replace(/^matrix-(.+)-(?=k[1-4])/, (written, alias) => {
    const kernel = findKernel(alias);
    return kernel === undefined ? written : `matrix-${kernel.id}-`;
  });
}
