/**
 * The campaigns of the service: asking for them, reading how far they have come and what they found, cancelling them.
 * Workers of any instance take their chunks (campaign-work.ts).
 */
import type { Campaign, CampaignRequest, CampaignResults } from '../../../schemas/campaign.js';
import type { WorkQueue } from '../../jobs/work-queue.js';
import { ChunkStore } from '../../store/chunk-store.js';
import type { Database } from '../../store/database.js';
import { type WorkRow, WorkStore } from '../../store/work-store.js';
import { type Reply, storedAnswer, type Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { missing } from '../refusals.js';
import { assertAdded, limitsFor, type Owner, ownerName } from '../unfinished.js';
import { waitForEnd } from '../waiting.js';
import { campaignJobs, endedEvent } from './campaign-work.js';
import { chunksOf, planCampaign } from './plan.js';
import { mergeChunk, noTotals, resultsOf, type ShrunkViolation, summaryOf } from './totals.js';
import type { ChunkResult } from './walk-chunk.js';

/** How many campaigns may wait or run, in all and of one token. */
const UNFINISHED_MAX = { all: 32, own: 8 };

export class Campaigns {
  private readonly database: Database;
  private readonly store: WorkStore;
  private readonly chunks: ChunkStore;
  private readonly queue: WorkQueue;
  private readonly closing: AbortSignal;

  /** Nobody waits any longer once `closing` is given. */
  constructor(database: Database, queue: WorkQueue, closing: AbortSignal) {
    this.database = database;
    this.store = new WorkStore(database, 'campaigns');
    this.chunks = new ChunkStore(database);
    this.queue = queue;
    this.closing = closing;
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
    const reply = {
      status: 202,
      headers: { location: `/v1/campaigns/${id}` },
      body: resource,
    };
    const added = await this.store.add(
      {
        id,
        owner: ownerName(owner),
        lane: 'work',
        request,
        resource,
        answer: ticket && storedAnswer(ticket, reply),
      },
      limitsFor(owner, UNFINISHED_MAX),
      (trx) => this.chunks.add(trx, id, chunks),
    );
    assertAdded(added, UNFINISHED_MAX, 'campaigns', 30);
    void this.queue.offer(campaignJobs(id, [...chunks.keys()]));
    return reply;
  }

  /** The campaigns after a number in the order in which they were asked for, with their numbers. */
  async list(after: number, limit: number): Promise<{ seq: number; item: Campaign }[]> {
    const rows = await this.store.list(after, limit);
    return Promise.all(rows.map(async (row) => ({ seq: row.seq, item: await this.item(row) })));
  }

  async get(id: string): Promise<Campaign> {
    return this.item(await this.row(id));
  }

  /** Waits for the end of a campaign, at most so long; then it is read again. */
  wait(id: string, millis: number): Promise<Campaign> {
    return waitForEnd(this.database.notices, id, millis, this.closing, () => this.get(id));
  }

  /** Ends it at once, with the walks taken so far; one that has ended stays as it is. */
  async cancel(id: string): Promise<Campaign> {
    const { progress, violated_cells, verdict } = await this.get(id);
    const found = { progress, violated_cells, verdict };
    await this.store.finish(id, 'cancelled', found, [endedEvent(id, { state: 'cancelled' })]);
    return this.get(id);
  }

  /** What was found, as far as it has come. */
  async results(id: string): Promise<CampaignResults> {
    const row = await this.row(id);
    const { name } = row.resource as Campaign;
    const plan = await planCampaign(row.request as CampaignRequest);
    const results = (await this.chunks.results(id)) as ChunkResult[];
    const totals = results.reduce(mergeChunk, noTotals(plan));
    const violations = (await this.chunks.violations(id)) as ShrunkViolation[] | undefined;
    const campaign = { id, ...(name === undefined ? {} : { name }), state: row.state };
    return resultsOf(plan, totals, campaign, violations);
  }

  private async row(id: string): Promise<WorkRow> {
    return (await this.store.get(id)) ?? missing('campaign', id);
  }

  private async item(row: WorkRow): Promise<Campaign> {
    const resource = {
      ...(row.resource as Campaign),
      state: row.state,
      created_at: row.createdAt.toISOString(),
    };
    if (row.finishedAt !== null) {
      return { ...resource, finished_at: row.finishedAt.toISOString() };
    }
    const { walksDone, violatedCells, walksPerSecond } = await this.chunks.counts(row.id);
    const { total } = resource.progress;
    return {
      ...resource,
      verdict: violatedCells > 0 ? 'violated' : 'undecided',
      violated_cells: violatedCells,
      progress: { done: walksDone, total, unit: 'walks', rate_per_second: walksPerSecond },
    };
  }
}
