/** The results as CSV (RFC 4180): a row for each cell and invariant, one without an invariant where a cell has none. */
import type {
  CampaignCell,
  CampaignProperty,
  CampaignResults,
} from '../../../../schemas/campaign.js';
import { csv } from '../../csv.js';

export function campaignCsv(results: CampaignResults): string {
  const rows = results.cells.flatMap((cell) => {
    const properties = cell.properties.length === 0 ? [undefined] : cell.properties;
    return properties.map((property) => rowOf(results, cell, property));
  });
  return csv(Object.keys(rows[0] ?? {}), rows.map(Object.values));
}

/** By column, in their order. */
function rowOf(results: CampaignResults, cell: CampaignCell, property?: CampaignProperty) {
  return {
    kernel: cell.kernel,
    cpu_model: cell.cpu_model,
    scenario: cell.scenario,
    status: cell.status,
    reason: cell.reason,
    seed: results.seed,
    steps_per_walk: results.steps_per_walk,
    walks: cell.walks,
    steps: cell.steps,
    property: property?.id,
    violated_walks: property?.violated_walks,
    rate: property?.rate,
    rate_low: property?.rate_low,
    rate_high: property?.rate_high,
    first_walk: property?.first?.walk,
    first_walk_steps: property?.first?.walk_steps,
    first_steps: property?.first?.steps,
  };
}
