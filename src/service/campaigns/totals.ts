/**
 * What the walks of a campaign have found so far, and the results made of it. Totals are sums and minima, so chunks
 * may be added in any order; each must be added once.
 */
import type {
  CampaignCell,
  CampaignProperty,
  CampaignResults,
  CampaignViolation,
} from '../../../schemas/campaign.js';
import { wilson } from './confidence.js';
import type { ViolatingWalk } from './first-violation.js';
import type { CampaignPlan, PlannedCell } from './plan.js';
import type { ChunkResult, PropertyCount } from './walk-chunk.js';

type CellTotals = Pick<ChunkResult, 'walks' | 'steps' | 'properties'>;

/** By cell; they survive JSON. */
export type CampaignTotals = readonly CellTotals[];

/** The totals before any walk: the neutral element. */
export function noTotals({ cells }: CampaignPlan): CampaignTotals {
  return cells.map(({ properties }) => ({
    walks: 0,
    steps: 0,
    properties: properties.map(() => ({ violated_walks: 0, first: null })),
  }));
}

export function mergeChunk(totals: CampaignTotals, chunk: ChunkResult): CampaignTotals {
  const cell = totals[chunk.cell]!;
  return totals.with(chunk.cell, {
    walks: cell.walks + chunk.walks,
    steps: cell.steps + chunk.steps,
    properties: cell.properties.map((count, p) => mergeCounts(count, chunk.properties[p]!)),
  });
}

function mergeCounts(one: PropertyCount, other: PropertyCount): PropertyCount {
  const [a, b] = [one.first, other.first];
  const first = b === null || (a !== null && a.walk <= b.walk) ? a : b;
  return { violated_walks: one.violated_walks + other.violated_walks, first };
}

/** What a campaign's resource tells of its totals; `done` and `total` are walks. */
export function summaryOf(plan: CampaignPlan, totals: CampaignTotals) {
  const violated = totals.filter(isViolated).length;
  const skipped = plan.cells.filter((cell) => cell.skipped !== null).length;
  return {
    verdict: violated > 0 ? ('violated' as const) : ('undecided' as const),
    cells: plan.cells.length,
    violated_cells: violated,
    skipped_cells: skipped,
    done: totals.reduce((sum, { walks }) => sum + walks, 0),
    total: (plan.cells.length - skipped) * plan.walks,
  };
}

/**
 * The walks to be shrunk: the lowest of each cell and property. They are final only where all walks of the cell were
 * taken.
 */
export function firstWalksOf(totals: CampaignTotals): ViolatingWalk[] {
  return totals.flatMap(({ properties }, cell) =>
    properties.flatMap(({ first }, property) =>
      first === null ? [] : [{ cell, property, walk: first.walk }],
    ),
  );
}

/** A first walk that was shrunk, and where it belongs. */
export interface ShrunkViolation {
  readonly cell: number;
  readonly property: number;
  readonly violation: CampaignViolation;
}

/** A violation of another walk than the totals' first is left out: totals have moved on since it was shrunk. */
export function resultsOf(
  plan: CampaignPlan,
  totals: CampaignTotals,
  campaign: Pick<CampaignResults, 'id' | 'name' | 'state'>,
  violations: readonly ShrunkViolation[] = [],
): CampaignResults {
  const byPlace = new Map(
    violations.map(({ cell, property, violation }) => [`${cell}/${property}`, violation]),
  );
  return {
    ...campaign,
    seed: plan.seed,
    walks: plan.walks,
    steps_per_walk: plan.stepsPerWalk,
    cells: plan.cells.map((cell, at) =>
      cellItem(plan, cell, totals[at]!, (p) => byPlace.get(`${at}/${p}`)),
    ),
  };
}

function cellItem(
  plan: CampaignPlan,
  cell: PlannedCell,
  totals: CellTotals,
  violationOf: (property: number) => CampaignViolation | undefined,
): CampaignCell {
  const names = { kernel: cell.kernel, cpu_model: cell.cpuModel, scenario: cell.scenario };
  if (cell.skipped !== null) {
    const reason = cell.skipped;
    return { ...names, status: 'skipped', reason, walks: 0, steps: 0, properties: [] };
  }
  return {
    ...names,
    ...totals,
    status: statusOf(plan, totals),
    properties: totals.properties.map((count, p) =>
      propertyItem(cell.properties[p]!, count, totals.walks, violationOf(p)),
    ),
  };
}

function statusOf(plan: CampaignPlan, totals: CellTotals): CampaignCell['status'] {
  if (isViolated(totals)) {
    return 'violated';
  }
  return totals.walks < plan.walks ? 'incomplete' : 'clean';
}

function isViolated({ properties }: CellTotals): boolean {
  return properties.some(({ first }) => first !== null);
}

function propertyItem(
  id: string,
  { violated_walks, first }: PropertyCount,
  walks: number,
  violation: CampaignViolation | undefined,
): CampaignProperty {
  const { low, high } = wilson(violated_walks, walks);
  return {
    id,
    violated_walks,
    rate: walks === 0 ? 0 : violated_walks / walks,
    rate_low: low,
    rate_high: high,
    ...(violation === undefined || violation.walk !== first?.walk ? {} : { first: violation }),
  };
}
