/**
 * The campaigns of the service: asking for them, reading how far they have come and what they found, cancelling them.
 * Workers of any instance take their chunks (campaign-work.ts).
 */
import type {
  Campaign,
  CampaignRequest,
  CampaignResults,
  CampaignState,
} from '../../../schemas/campaign.js';
import { ChunkStore } from '../../store/chunk-store.js';
import { eventOf } from '../../store/event-store.js';
import type { WorkRow } from '../../store/work-store.js';
import { defined } from '../defined.js';
import type { Reply, Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { LongWorks, type Owner, standingOf, type Workplace } from '../long-work/long-works.js';
import { campaignReport } from '../reports/of-campaign.js';
import type { Report } from '../reports/report.js';
import { campaignJobs } from './campaign-work.js';
import { chunksOf, planCampaign } from './plan.js';
import { mergeChunk, noTotals, resultsOf, type ShrunkViolation, summaryOf } from './totals.js';
import type { ChunkResult } from './walk-chunk.js';

export class Campaigns extends LongWorks<Campaign> {
  private readonly chunks: ChunkStore;

  constructor(around: Workplace) {
    super('campaigns', around);
    this.chunks = new ChunkStore(around.database);
  }

  async create(request: CampaignRequest, owner: Owner, ticket?: Ticket): Promise<Reply<Campaign>> {
    const plan = await planCampaign(request);
    const chunks = chunksOf(plan);
    const { cells, skipped_cells, total } = summaryOf(plan, noTotals(plan));
    const id = randomId('camp');
    const resource: Campaign = {
      id,
      ...request,
      state: 'queued',
      verdict: 'undecided',
      progress: { done: 0, total, unit: 'walks' },
      created_at: new Date().toISOString(),
      cells,
      violated_cells: 0,
      skipped_cells,
    };
    const work = { lane: 'work', request, resource } as const;
    const { reply } = await this.add(work, owner, ticket, (trx) =>
      this.chunks.add(trx, id, chunks),
    );
    void this.around.queue.offer(campaignJobs(id, [...chunks.keys()]));
    return reply;
  }

  /** Ends it at once, with the walks taken so far; one that has ended stays as it is. */
  override async cancel(id: string): Promise<Campaign> {
    const { progress, violated_cells, verdict } = await this.get(id);
    const found = { progress, violated_cells, verdict };
    const event = eventOf('campaign.ended', id, { state: 'cancelled' });
    await this.store.finish(id, 'cancelled', found, [event]);
    return this.get(id);
  }

  /** What was found, as far as it has come. */
  async results(id: string): Promise<CampaignResults> {
    return (await this.found(id)).results;
  }

  /** The same as tests, and how long they took. */
  async report(id: string): Promise<Report> {
    const { row, results, chunks } = await this.found(id);
    const seconds = results.cells.map(() => 0);
    for (const chunk of chunks) seconds[chunk.cell]! += chunk.seconds ?? 0;
    return campaignReport(results, standingOf(row), seconds, new Date());
  }

  private async found(id: string) {
    const row = await this.row(id);
    const { name } = row.resource as Campaign;
    const plan = await planCampaign(row.request as CampaignRequest);
    const chunks = (await this.chunks.results(id)) as ChunkResult[];
    const totals = chunks.reduce(mergeChunk, noTotals(plan));
    const violations = (await this.chunks.violations(id)) as ShrunkViolation[] | undefined;
    const { state } = standingOf<CampaignState>(row);
    const campaign = { id, ...defined({ name }), state };
    return { row, chunks, results: resultsOf(plan, totals, campaign, violations) };
  }

  protected override async itemOf(row: WorkRow): Promise<Campaign> {
    const resource = { ...(row.resource as Campaign), ...standingOf<CampaignState>(row) };
    if (row.finishedAt !== null) return resource;
    const { walksDone, violatedCells, walksPerSecond } = await this.chunks.counts(row.id);
    const { total } = resource.progress;
    return {
      ...resource,
      verdict: violatedCells > 0 ? 'violated' : 'undecided',
      violated_cells: violatedCells,
      progress: {
        done: walksDone,
        total,
        unit: 'walks',
        rate_per_second: walksPerSecond,
        ...secondsLeft(walksDone, total, walksPerSecond),
      },
    };
  }
}

/** Walks of one cell may be several times as long as those of another, hence the wide band. */
export function secondsLeft(
  done: number,
  total: number,
  perSecond: number,
): Pick<Campaign['progress'], 'seconds_left'> {
  if (done < total * TOLD_FROM || perSecond === 0) return {};
  const likely = (total - done) / perSecond;
  return { seconds_left: [likely / 2, likely, likely * 2] };
}

const TOLD_FROM = 0.05;
