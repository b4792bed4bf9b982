/** Every minute: expire old rows; re-enqueue work whose job was lost. */
import type { WorkQueue } from '../jobs/work-queue.js';
import { ChunkStore } from '../store/chunk-store.js';
import type { Database } from '../store/database.js';
import { EventStore } from '../store/event-store.js';
import { forgetAnswers } from '../store/idempotency-store.js';
import { ObservationStore } from '../store/observation-store.js';
import { PoolJobStore } from '../store/pool-job-store.js';
import { WorkStore } from '../store/work-store.js';
import { campaignJobs } from './campaigns/campaign-work.js';
import { explanationJob } from './explanations/explanation-work.js';
import { explorationJob } from './explorations/exploration-work.js';

export const HOUSEKEEPING = 'housekeeping';
export const HOUSEKEEPING_SECONDS = 60;

/** Retention: by age, and for some also by number or size. */
export interface Kept {
  readonly retentionHours: number;
  readonly eventsKept: number;
  readonly answersKept: number;
  readonly observationsKept: number;
  readonly observationMegabytes: number;
}

/** How many explorations, campaigns and explanations are kept, whatever their age. */
const KEPT_MAX = 1000;
/** The same of pool jobs, and of their runs. */
const RUNS_KEPT_MAX = 100_000;
/** As the `Idempotency-Key` header is documented. */
const KEY_HOURS = 24;

export class Housekeeping {
  constructor(
    private readonly database: Database,
    private readonly queue: WorkQueue,
    private readonly kept: Kept,
  ) {}

  /** The rows are authoritative: afterwards every unfinished one has a job. */
  async putBack(): Promise<void> {
    const explorations = new WorkStore(this.database, 'explorations');
    await this.queue.add((await explorations.unfinished()).map(explorationJob));
    const explanations = new WorkStore(this.database, 'explanations');
    await this.queue.add((await explanations.unfinished()).map(explanationJob));
    const chunks = new ChunkStore(this.database);
    for (const { id } of await new WorkStore(this.database, 'campaigns').unfinished()) {
      await this.queue.add(campaignJobs(id, await chunks.left(id)));
    }
  }

  /**
   * The same when the queue is empty, which is also what a wiped queue looks like. This cannot itself be a job: that would be
   * lost with the others.
   */
  async watch(): Promise<void> {
    await this.queue.schedule(HOUSEKEEPING, HOUSEKEEPING_SECONDS);
    const depths = Object.values(await this.queue.depths());
    if (depths.every((depth) => depth === 0)) await this.putBack();
  }

  async keep(): Promise<'done'> {
    const { database } = this;
    const { retentionHours, eventsKept, answersKept } = this.kept;
    const { observationsKept, observationMegabytes } = this.kept;
    const events = new EventStore(database.query);
    for (const table of ['explorations', 'campaigns', 'explanations'] as const) {
      const work = new WorkStore(database, table);
      await inPortions(20, (limit) => work.forget(retentionHours, KEPT_MAX, limit));
    }
    const jobs = new PoolJobStore(database);
    await inPortions(20, (limit) => jobs.forget(retentionHours, KEPT_MAX, RUNS_KEPT_MAX, limit));
    const observations = new ObservationStore(database);
    const bytesMax = observationMegabytes * 2 ** 20;
    await inPortions(20, (limit) =>
      observations.forget(retentionHours, observationsKept, bytesMax, limit),
    );
    await inPortions(10_000, (limit) => events.forget(retentionHours, eventsKept, limit));
    await inPortions(10_000, (limit) => forgetAnswers(database, KEY_HOURS, answersKept, limit));
    return 'done';
  }
}

/** Deletes in batches until nothing is left to delete, so that no statement runs into its timeout. */
async function inPortions(
  limit: number,
  forget: (limit: number) => Promise<number>,
): Promise<void> {
  while ((await forget(limit)) === limit);
}
