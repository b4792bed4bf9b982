/**
 * What the routes ask for their work, and what works in the background. Routes reach it as `app.services`; here is the one
 * place that makes it.
 */
import type { FastifyInstance } from 'fastify';
import { Scout } from '../explorer/scout.js';
import { type AddJobs, WorkQueue } from '../jobs/work-queue.js';
import { CAMPAIGN_CHUNK, CAMPAIGN_END, CampaignWork } from '../service/campaigns/campaign-work.js';
import { Campaigns } from '../service/campaigns/campaigns.js';
import { WalkPool } from '../service/campaigns/walk-pool.js';
import { Comparisons } from '../service/comparisons.js';
import { Events } from '../service/events.js';
import { EXPLORATION, ExplorationWork } from '../service/explorations/exploration-work.js';
import { Explorations } from '../service/explorations/explorations.js';
import { RaceVerdicts } from '../service/explorations/race-verdicts.js';
import { HOSTS_MAX } from '../service/host.js';
import { Hosts } from '../service/hosts.js';
import { HOUSEKEEPING, HOUSEKEEPING_SECONDS, Housekeeping } from '../service/housekeeping.js';
import { Idempotency } from '../service/idempotency.js';
import type { Database } from '../store/database.js';
import { HostStore } from '../store/host-store.js';
import { IdempotencyStore } from '../store/idempotency-store.js';
import { useIdempotency } from './idempotency.js';
import { machineMetrics } from './machine-metrics.js';

declare module 'fastify' {
  interface FastifyInstance {
    services: Services;
  }
}

/** While one small search is written down, the scout is busy with the next. */
const SMALL_CONCURRENCY = 2;

/** Each use case of src/service is a member. */
export interface Services {
  readonly hosts: Hosts;
  readonly explorations: Explorations;
  readonly campaigns: Campaigns;
  readonly comparisons: Comparisons;
  readonly events: Events;
}

/** Where everything is kept. */
export interface Storage {
  readonly database: Database;
  /** No other instance uses it. */
  readonly isPrivate: boolean;
}

/** Without a database there are only the routes, for the document that describes them. */
export async function useServices(app: FastifyInstance, storage?: Storage): Promise<void> {
  if (storage === undefined) {
    app.decorate('services', {} as Services);
    return;
  }
  const { config } = app;
  const { database } = storage;
  const onError = (error: Error): void =>
    app.log.warn({ err: error }, 'the database or the queue is away');
  const queue = await WorkQueue.open({
    databaseUrl: database.url,
    queueUrl: config.queueUrl,
    lockSeconds: config.jobLockSeconds,
    onError,
  });
  const keys = new IdempotencyStore(database.url, onError);
  useIdempotency(app, new Idempotency(keys));
  const scout = new Scout();
  const store = new HostStore(database, HOSTS_MAX);
  const events = new Events(database, onError);
  await events.open();
  app.decorate('services', {
    hosts: new Hosts(
      store,
      machineMetrics(app, () => store.count()),
    ),
    explorations: new Explorations(database, queue, config.searchMegabytes, app.closing),
    campaigns: new Campaigns(database, queue, app.closing),
    comparisons: new Comparisons(new RaceVerdicts(scout)),
    events,
  });
  app.readiness.add('database', () => database.check());
  if (config.role !== 'api') useWorker(app, storage, queue, scout);
  app.addHook('onClose', async () => {
    await queue.close();
    await events.close();
    await keys.close();
    await scout.close();
  });
}

/** This instance also works: on what is asked of any instance, and on keeping the house in order. */
function useWorker(app: FastifyInstance, storage: Storage, queue: WorkQueue, scout: Scout): void {
  const { database, isPrivate } = storage;
  const { queueUrl, searchMegabytes, workerConcurrency } = app.config;
  const addJobs: AddJobs = (jobs) => queue.add(jobs);
  const explorations = new ExplorationWork(database, scout, searchMegabytes, addJobs);
  const pool = new WalkPool(workerConcurrency);
  const campaigns = new CampaignWork(database, pool, addJobs);
  const house = new Housekeeping(database, queue, app.config);
  app.addHook('onReady', async () => {
    // Nobody else uses a private database, nor the queue in it, so whoever held a job is dead.
    if (isPrivate && queueUrl === undefined) await queue.clear();
    await house.putBack();
    await house.watch();
    await queue.work(
      {
        [EXPLORATION]: (data, signal) => explorations.carryOut(data, signal),
        [CAMPAIGN_CHUNK]: (data, signal) => campaigns.carryOutChunk(data, signal),
        [CAMPAIGN_END]: (data, signal) => campaigns.carryOutEnd(data, signal),
        [HOUSEKEEPING]: () => house.keep(),
      },
      { small: SMALL_CONCURRENCY, work: workerConcurrency },
    );
  });
  const watching = setInterval(() => {
    house.watch().catch((error) => app.log.warn({ err: error }, 'the queue is away'));
  }, HOUSEKEEPING_SECONDS * 1000).unref();
  app.addHook('preClose', async () => clearInterval(watching));
  app.addHook('onClose', () => pool.close());
}
