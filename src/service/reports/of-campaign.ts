/** The results of a campaign as a report: a test for each cell, grouped by kernel. A violated cell has failed. */
import type { Campaign, CampaignCell, CampaignResults } from '../../../schemas/campaign.js';
import { firstLine, incompleteReason, rateLine, violatedOf } from '../campaigns/formats/prose.js';
import { type Environment, type Report, type ReportedTest, secondsBetween } from './report.js';
import { statusOf } from './status.js';

/** `seconds`: by cell, how long threads walked in it. */
export function campaignReport(
  results: CampaignResults,
  { created_at, finished_at }: Pick<Campaign, 'created_at' | 'finished_at'>,
  seconds: readonly number[],
  now: Date,
): Report {
  const { id, name, state, seed, walks, steps_per_walk } = results;
  return {
    id,
    label: name,
    started_at: created_at,
    duration_seconds: secondsBetween(created_at, finished_at, now),
    about: { campaign: id, state, seed, walks, steps_per_walk },
    tests: results.cells.map((cell, at) => cellTest(results, cell, seconds[at])),
  };
}

function cellTest(
  results: CampaignResults,
  cell: CampaignCell,
  seconds: number | undefined,
): ReportedTest {
  const { kernel, cpu_model, scenario, status, walks } = cell;
  const violated = violatedOf(cell);
  const told = violated
    .flatMap((property) => [rateLine(property, cell), firstLine(property, results)])
    .filter((line) => line !== null);
  const walk = violated.find(({ first }) => first !== undefined)?.first?.walk;
  return {
    path: [kernel, cpu_model, scenario],
    status: statusOf(status),
    reason: reasonOf(results, cell),
    excerpt: told.join('\n'),
    ...(walks === 0 || seconds === undefined ? {} : { duration_seconds: seconds }),
    environment: environmentOf(kernel, cpu_model),
    misc: { seed: results.seed, ...(walk === undefined ? {} : { walk }) },
  };
}

function reasonOf(results: CampaignResults, cell: CampaignCell): string | undefined {
  switch (cell.status) {
    case 'violated':
      return violatedOf(cell)
        .map((property) => rateLine(property, cell))
        .join('; ');
    case 'incomplete':
      return incompleteReason(cell, results);
    default:
      return cell.reason;
  }
}

/** Kernels of the catalogue are named after releases where they are some. */
function environmentOf(kernel: string, cpuModel: string): Environment {
  return {
    platform: cpuModel,
    compatible: [`intel,${cpuModel}`],
    lab: 'pebslab',
    kernel: kernel.replace(/^linux-(?=\d)/, ''),
    simulated: true,
  };
}
