/** What the formats say alike in words. */
import type {
  CampaignCell,
  CampaignProperty,
  CampaignResults,
} from '../../../../schemas/campaign.js';

/** The invariants of a cell that some walk violated. */
export function violatedOf({ properties }: CampaignCell): CampaignProperty[] {
  return properties.filter(({ violated_walks }) => violated_walks > 0);
}

/** `I1: 12 of 1000 walks, rate 0.012 (95 % 0.0069 to 0.0208)`. */
export function rateLine(property: CampaignProperty, { walks }: CampaignCell): string {
  const { id, violated_walks, rate, rate_low, rate_high } = property;
  const interval = `95 % ${figure(rate_low)} to ${figure(rate_high)}`;
  return `${id}: ${violated_walks} of ${walks} walks, rate ${figure(rate)} (${interval})`;
}

/** Which walk it was; with the seed and the steps a walk may take that names it for good. */
export function firstLine({ first }: CampaignProperty, results: CampaignResults): string | null {
  const of = `seed ${results.seed}, steps_per_walk ${results.steps_per_walk}`;
  return first === undefined
    ? null
    : `first walk ${first.walk} (${of}), violated after ${first.walk_steps} steps, shrunk to ${first.steps}: ${shortened(first.path)}`;
}

export function incompleteReason(cell: CampaignCell, results: CampaignResults): string {
  return `${results.state} after ${cell.walks} of ${results.walks} walks`;
}

/** Four digits are as many as a rate deserves. */
export function figure(value: number): string {
  return String(Number(value.toPrecision(4)));
}

const PATH_MAX = 2000;

/** A path that took no shrinking may be as long as a book; the JSON has it all. */
function shortened(path: string): string {
  return path.length <= PATH_MAX ? path : `${path.slice(0, PATH_MAX)}…`;
}
