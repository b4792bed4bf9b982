/** The results as CSV (RFC 4180): a row for each cell and invariant, one without an invariant where a cell has none. */
import type {
  CampaignCell,
  CampaignProperty,
  CampaignResults,
} from '../../../../schemas/campaign.js';
import { type CsvValue, csv } from '../../csv.js';

type Cell = (
  cell: CampaignCell,
  property: CampaignProperty | undefined,
  results: CampaignResults,
) => CsvValue;

const COLUMNS: Readonly<Record<string, Cell>> = {
  kernel: (cell) => cell.kernel,
  cpu_model: (cell) => cell.cpu_model,
  scenario: (cell) => cell.scenario,
  status: (cell) => cell.status,
  reason: (cell) => cell.reason,
  seed: (_cell, _property, results) => results.seed,
  steps_per_walk: (_cell, _property, results) => results.steps_per_walk,
  walks: (cell) => cell.walks,
  steps: (cell) => cell.steps,
  property: (_cell, property) => property?.id,
  violated_walks: (_cell, property) => property?.violated_walks,
  rate: (_cell, property) => property?.rate,
  rate_low: (_cell, property) => property?.rate_low,
  rate_high: (_cell, property) => property?.rate_high,
  first_walk: (_cell, property) => property?.first?.walk,
  first_walk_steps: (_cell, property) => property?.first?.walk_steps,
  first_steps: (_cell, property) => property?.first?.steps,
};

export function campaignCsv(results: CampaignResults): string {
  const columns = Object.values(COLUMNS);
  const rows = results.cells.flatMap((cell) => {
    const properties = cell.properties.length === 0 ? [undefined] : cell.properties;
    return properties.map((property) => columns.map((of) => of(cell, property, results)));
  });
  return csv(Object.keys(COLUMNS), rows);
}
