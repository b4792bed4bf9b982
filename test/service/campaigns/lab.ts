/** What the tests of campaigns share: requests, and a campaign carried out without a queue. */
import type { Test } from 'tap';
import type { CampaignRequest, CampaignResults } from '../../../schemas/campaign.js';
import { type CampaignPlan, type Chunk, chunksOf } from '../../../src/service/campaigns/plan.js';
import {
  type CampaignTotals,
  firstWalksOf,
  mergeChunk,
  noTotals,
  resultsOf,
  type ShrunkViolation,
} from '../../../src/service/campaigns/totals.js';
import { WalkPool } from '../../../src/service/campaigns/walk-pool.js';

export const RACE_PROMPT = 'matrix-linux-7.2.6-k3-prompt';
export const RACE_LATE = 'matrix-linux-7.2.6-k3-late';

export function request(
  matrix: Partial<CampaignRequest['matrix']> = {},
  more: Partial<Omit<CampaignRequest, 'matrix'>> = {},
): CampaignRequest {
  return {
    matrix: {
      kernels: ['linux-7.2.6'],
      cpu_models: ['emerald-rapids'],
      scenarios: [RACE_PROMPT],
      ...matrix,
    },
    walks: 50,
    steps_per_walk: 100,
    seed: 1,
    budgets: 'unlimited',
    ...more,
  };
}

export function pool(t: Test, threads: number): WalkPool {
  const made = new WalkPool(threads);
  t.after(() => made.close());
  return made;
}

/** The totals of some chunks, added in the order in which the threads finish. */
export async function walked(
  threads: WalkPool,
  plan: CampaignPlan,
  chunks: readonly Chunk[] = chunksOf(plan),
): Promise<CampaignTotals> {
  let totals = noTotals(plan);
  await Promise.all(
    chunks.map(async (chunk) => {
      const result = await threads.run('walkChunk', plan, chunk);
      totals = mergeChunk(totals, JSON.parse(JSON.stringify(result)));
    }),
  );
  return totals;
}

/** The results with the first walks shrunk. */
export async function results(
  threads: WalkPool,
  plan: CampaignPlan,
  totals: CampaignTotals,
): Promise<CampaignResults> {
  const violations = await Promise.all(
    firstWalksOf(totals).map(async (walk): Promise<ShrunkViolation> => {
      const violation = await threads.run('firstViolation', plan, walk);
      return { cell: walk.cell, property: walk.property, violation };
    }),
  );
  return resultsOf(plan, totals, { id: 'camp_1a', state: 'succeeded' }, violations);
}
