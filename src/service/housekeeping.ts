/** What is done every minute: some worker forgets what is old, and every worker sees to it that no work has lost its job. */
import type { WorkQueue } from '../jobs/work-queue.js';
import { ChunkStore } from '../store/chunk-store.js';
import type { Database } from '../store/database.js';
import { EventStore } from '../store/event-store.js';
import { forgetAnswers } from '../store/idempotency-store.js';
import { WorkStore } from '../store/work-store.js';
import { campaignJobs } from './campaigns/campaign-work.js';
import { explorationJob } from './explorations/exploration-work.js';

export const HOUSEKEEPING = 'housekeeping';
export const HOUSEKEEPING_SECONDS = 60;

/** How much is kept: for so long, and of events and idempotency answers at most so many of the newest. */
export interface Kept {
  readonly retentionHours: number;
  readonly eventsKept: number;
  readonly answersKept: number;
}

/** How many explorations and campaigns are kept, whatever their age. */
const KEPT_MAX = 1000;
/** As long as the draft of the header promises here. */
const KEY_HOURS = 24;

export class Housekeeping {
  private readonly database: Database;
  private readonly queue: WorkQueue;
  private readonly kept: Kept;

  constructor(database: Database, queue: WorkQueue, kept: Kept) {
    this.database = database;
    this.queue = queue;
    this.kept = kept;
  }

  /** The rows are the truth: whatever of them has not ended has a job after this. */
  async putBack(): Promise<void> {
    const explorations = new WorkStore(this.database, 'explorations');
    await this.queue.add((await explorations.unfinished()).map(explorationJob));
    const chunks = new ChunkStore(this.database);
    for (const { id } of await new WorkStore(this.database, 'campaigns').unfinished()) {
      await this.queue.add(campaignJobs(id, await chunks.left(id)));
    }
  }

  /**
   * The same where the queue has nothing left to do, which it would say as well if it had lost everything. Not by a job: it
   * would be lost with the others.
   */
  async watch(): Promise<void> {
    await this.queue.schedule(HOUSEKEEPING, HOUSEKEEPING_SECONDS);
    if (await this.queue.isEmpty()) await this.putBack();
  }

  async keep(): Promise<'done'> {
    const { database } = this;
    const { retentionHours, eventsKept, answersKept } = this.kept;
    const events = new EventStore(database.query);
    for (const table of ['explorations', 'campaigns'] as const) {
      const work = new WorkStore(database, table);
      await inPortions(20, (limit) => work.forget(retentionHours, KEPT_MAX, limit));
    }
    await inPortions(10_000, (limit) => events.forget(retentionHours, eventsKept, limit));
    await inPortions(10_000, (limit) => forgetAnswers(database, KEY_HOURS, answersKept, limit));
    return 'done';
  }
}

/** Deletes until there is nothing more to delete; one statement is not to take longer than a statement may. */
async function inPortions(
  limit: number,
  forget: (limit: number) => Promise<number>,
): Promise<void> {
  while ((await forget(limit)) === limit);
}
