/** A campaign carried out by workers: its chunks, each once, and at the end what they found together. */
import type { CampaignRequest } from '../../../schemas/campaign.js';
import type { WorkJob } from '../../jobs/work-queue.js';
import { ChunkStore } from '../../store/chunk-store.js';
import { type EventInput, eventOf } from '../../store/event-store.js';
import type { WorkState } from '../../store/tables.js';
import type { Workplace } from '../long-work/long-works.js';
import { type Outcome, PieceWork } from '../long-work/pieces.js';
import { type CampaignPlan, type PlannedCell, planCampaign } from './plan.js';
import { firstWalksOf, mergeChunk, noTotals, type ShrunkViolation, summaryOf } from './totals.js';
import type { ChunkResult } from './walk-chunk.js';
import type { WalkPool } from './walk-pool.js';

export const CAMPAIGN_CHUNK = 'campaign_chunk';
export const CAMPAIGN_END = 'campaign_end';

/** A plan of a thousand cells takes half a second to make, and its chunks come together. */
const PLANS_MAX = 8;

/** The jobs of the chunks that are left, or of the end where none is. */
export function campaignJobs(id: string, chunks: readonly number[]): WorkJob[] {
  if (chunks.length === 0) return [endJob(id)];
  return chunks.map((n) => ({
    kind: CAMPAIGN_CHUNK,
    id: `chunk-${id}-${n}`,
    data: { id, n },
    lane: 'work',
    priority: 100,
  }));
}

function endJob(id: string): WorkJob {
  return { kind: CAMPAIGN_END, id: `end-${id}`, data: { id }, lane: 'work', priority: 10 };
}

export class CampaignWork extends PieceWork {
  private readonly chunks: ChunkStore;
  private readonly plans = new Map<string, Promise<CampaignPlan>>();

  constructor(
    around: Workplace,
    private readonly pool: WalkPool,
  ) {
    super('campaigns', around);
    this.chunks = new ChunkStore(around.database);
  }

  async carryOutChunk({ id, n }: { id: string; n: number }, signal: AbortSignal): Promise<Outcome> {
    const release = (): Promise<void> => this.chunks.release(id, n);
    return this.carryOutPiece({ id, name: `${id} ${n}`, release }, signal, async (ends) => {
      const plan = await this.begin(id);
      if (plan === undefined) return;
      const chunk = await this.chunks.start(id, n);
      if (chunk !== undefined) {
        this.takeUp('work', chunk.deaths, `walked chunk ${n}`);
        const result = await this.pool.run('walkChunk', plan, chunk, ends);
        const violated = result.properties.some(({ first }) => first !== null);
        const isStored = await this.chunks.keep(id, n, result, violated);
        if (isStored) this.count(plan, result);
      }
      const { chunksLeft, walksDone } = await this.chunks.counts(id);
      if (chunksLeft === 0) await this.around.queue.add([endJob(id)]);
      else await this.tell(id, walksDone);
    });
  }

  /** Adds everything up and shrinks the first violating walks. */
  async carryOutEnd({ id }: { id: string }, signal: AbortSignal): Promise<Outcome> {
    return this.carryOutPiece({ id }, signal, async (ends) => {
      const plan = await this.begin(id);
      if (plan === undefined) return;
      const deaths = (await this.store.start(id))?.deaths ?? 0;
      this.takeUp('work', deaths, 'shrank what the walks had found');
      const results = (await this.chunks.results(id)) as ChunkResult[];
      const totals = results.reduce(mergeChunk, noTotals(plan));
      const violations: ShrunkViolation[] = await Promise.all(
        firstWalksOf(totals).map(async (violating) => ({
          cell: violating.cell,
          property: violating.property,
          violation: await this.pool.run('firstViolation', plan, violating, ends),
        })),
      );
      const { verdict, violated_cells, done, total } = summaryOf(plan, totals);
      const found = { verdict, violated_cells, progress: { done, total, unit: 'walks' } };
      const events = [
        ...violations.map(({ cell, property }) => violationEvent(id, plan.cells[cell]!, property)),
        this.ended(id, 'succeeded', { verdict, violated_cells }),
      ];
      await this.store.finish(id, 'succeeded', found, events, (trx) =>
        this.chunks.keepViolations(trx, id, violations),
      );
    });
  }

  protected ended(id: string, state: WorkState, found: object): EventInput {
    return eventOf('campaign.ended', id, { state, ...found });
  }

  private count(plan: CampaignPlan, { cell, walks, violating, properties }: ChunkResult): void {
    this.around.meters.count('pebslab_campaign_walks_total', {}, walks);
    this.around.meters.count('pebslab_campaign_violating_walks_total', {}, violating);
    properties.forEach(({ violated_walks }, at) => {
      const labels = { invariant: plan.cells[cell]!.properties[at]!, origin: 'campaign' };
      this.around.meters.count('pebslab_violations_total', labels, violated_walks);
    });
  }

  /** The plan of a campaign that has not ended; undefined where there is nothing to do any more. */
  private async begin(id: string): Promise<CampaignPlan | undefined> {
    const row = await this.store.get(id);
    if (row === undefined || row.finishedAt !== null) return undefined;
    if (row.state === 'queued') await this.store.begin(id);
    return this.planOf(id, row.request as CampaignRequest);
  }

  private planOf(id: string, request: CampaignRequest): Promise<CampaignPlan> {
    let plan = this.plans.get(id);
    if (plan === undefined) {
      const [oldest] = this.plans.keys();
      if (this.plans.size >= PLANS_MAX && oldest !== undefined) this.plans.delete(oldest);
      plan = planCampaign(request);
      this.plans.set(id, plan);
    }
    return plan;
  }

  private async tell(id: string, done: number): Promise<void> {
    if (!this.pace.isDue(id)) return;
    const event = eventOf('campaign.progress', id, { done, unit: 'walks' });
    await this.store.progress(id, {}, [event]);
  }
}

function violationEvent(id: string, cell: PlannedCell, property: number): EventInput {
  const { kernel, cpuModel: cpu_model, scenario, properties } = cell;
  const invariant = properties[property];
  return eventOf('violation.found', id, { invariant, kernel, cpu_model, scenario });
}
