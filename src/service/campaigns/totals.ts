/**
 * What the walks of a campaign have found so far, and the results made of it. Totals are sums and minima, so chunks
 * may be added in any order; each must be added once.
 */
import type {
  CampaignCell,
  CampaignProperty,
  CampaignResults,
  CampaignVerdict,
  CampaignViolation,
} from '../../../schemas/campaign.js';
import { wilson } from './confidence.js';
import type { ViolatingWalk } from './first-violation.js';
import type { CampaignPlan, PlannedCell } from './plan.js';
import type { ChunkResult, FirstWalk, PropertyCount } from './walk-chunk.js';

/** By cell; it survives JSON. */
export interface CampaignTotals {
  readonly cells: readonly CellTotals[];
}

type CellTotals = Pick<ChunkResult, 'walks' | 'steps' | 'properties'>;

/** The totals before any walk: the neutral element. */
export function noTotals({ cells }: CampaignPlan): CampaignTotals {
  return {
    cells: cells.map(({ properties }) => ({
      walks: 0,
      steps: 0,
      properties: properties.map(() => ({ violated_walks: 0, first: null })),
    })),
  };
}

export function mergeChunk(totals: CampaignTotals, result: ChunkResult): CampaignTotals {
  const cells = [...totals.cells];
  cells[result.cell] = mergeCells(cells[result.cell]!, result);
  return { cells };
}

function mergeCells(one: CellTotals, other: CellTotals): CellTotals {
  return {
    walks: one.walks + other.walks,
    steps: one.steps + other.steps,
    properties: one.properties.map((count, p) => mergeCounts(count, other.properties[p]!)),
  };
}

function mergeCounts(one: PropertyCount, other: PropertyCount): PropertyCount {
  return {
    violated_walks: one.violated_walks + other.violated_walks,
    first: lower(one.first, other.first),
  };
}

function lower(one: FirstWalk | null, other: FirstWalk | null): FirstWalk | null {
  if (one === null || other === null) {
    return one ?? other;
  }
  return one.walk <= other.walk ? one : other;
}

/** What a campaign's resource tells of its totals. */
interface CampaignSummary {
  readonly verdict: CampaignVerdict;
  readonly cells: number;
  readonly violated_cells: number;
  readonly skipped_cells: number;
  /** Walks. */
  readonly done: number;
  readonly total: number;
}

export function summaryOf(plan: CampaignPlan, totals: CampaignTotals): CampaignSummary {
  const violated = totals.cells.filter(isViolated).length;
  const skipped = plan.cells.filter((cell) => cell.skipped !== null).length;
  return {
    verdict: violated > 0 ? 'violated' : 'undecided',
    cells: plan.cells.length,
    violated_cells: violated,
    skipped_cells: skipped,
    done: totals.cells.reduce((sum, { walks }) => sum + walks, 0),
    total: (plan.cells.length - skipped) * plan.walks,
  };
}

/**
 * The walks to be shrunk: the lowest of each cell and property. They are final only where all walks of the cell were
 * taken.
 */
export function firstWalksOf(totals: CampaignTotals): ViolatingWalk[] {
  return totals.cells.flatMap(({ properties }, cell) =>
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
  const { id, name, state } = campaign;
  return {
    id,
    ...(name === undefined ? {} : { name }),
    state,
    seed: plan.seed,
    walks: plan.walks,
    steps_per_walk: plan.stepsPerWalk,
    cells: plan.cells.map((cell, at) =>
      cellItem(plan, cell, totals.cells[at]!, (p) => byPlace.get(`${at}/${p}`)),
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
    status: statusOf(plan, totals),
    walks: totals.walks,
    steps: totals.steps,
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
