/** The results as CSV (RFC 4180): a row for each cell and invariant, one without an invariant where a cell has none. */
import type {
  CampaignCell,
  CampaignProperty,
  CampaignResults,
} from '../../../../schemas/campaign.js';
import { type CsvValue, csv } from '../../csv.js';

const COLUMNS = [
  'kernel',
  'cpu_model',
  'scenario',
  'status',
  'reason',
  'seed',
  'steps_per_walk',
  'walks',
  'steps',
  'property',
  'violated_walks',
  'rate',
  'rate_low',
  'rate_high',
  'first_walk',
  'first_walk_steps',
  'first_steps',
] as const;

export function campaignCsv(results: CampaignResults): string {
  const rows = results.cells.flatMap((cell) =>
    cell.properties.length === 0
      ? [rowOf(results, cell, undefined)]
      : cell.properties.map((property) => rowOf(results, cell, property)),
  );
  return csv(COLUMNS, rows);
}

function rowOf(
  results: CampaignResults,
  cell: CampaignCell,
  property: CampaignProperty | undefined,
): CsvValue[] {
  const { first } = property ?? {};
  return [
    cell.kernel,
    cell.cpu_model,
    cell.scenario,
    cell.status,
    cell.reason,
    results.seed,
    results.steps_per_walk,
    cell.walks,
    cell.steps,
    property?.id,
    property?.violated_walks,
    property?.rate,
    property?.rate_low,
    property?.rate_high,
    first?.walk,
    first?.walk_steps,
    first?.steps,
  ];
}
