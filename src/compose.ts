/** The one place that opens the queue, and creates the services and the worker. */
import type { Config } from './config/configuration.js';
import { GraphThread } from './explorer/graph-thread.js';
import { WarmSearchThread } from './explorer/warm-search-thread.js';
import { LANES, WorkQueue } from './jobs/work-queue.js';
import { CAMPAIGN_CHUNK, CAMPAIGN_END, CampaignWork } from './service/campaigns/campaign-work.js';
import { Campaigns } from './service/campaigns/campaigns.js';
import { WalkPool } from './service/campaigns/walk-pool.js';
import { Comparisons } from './service/comparisons.js';
import { Events } from './service/events/events.js';
import { EXPLANATION, ExplanationWork } from './service/explanations/explanation-work.js';
import { Explanations } from './service/explanations/explanations.js';
import { EXPLORATION, ExplorationWork } from './service/explorations/exploration-work.js';
import { Explorations } from './service/explorations/explorations.js';
import { Graphs } from './service/explorations/graphs.js';
import { KeptFolders } from './service/explorations/kept-folders.js';
import { RaceVerdicts } from './service/explorations/race-verdicts.js';
import { HOSTS_MAX } from './service/hosts/host.js';
import { Hosts } from './service/hosts/hosts.js';
import { machineMetrics } from './service/hosts/machine-metrics.js';
import { HOUSEKEEPING, HOUSEKEEPING_SECONDS, Housekeeping } from './service/housekeeping.js';
import { Idempotency } from './service/idempotency.js';
import type { Workplace } from './service/long-work/long-works.js';
import { endMetrics } from './service/long-work/work-metrics.js';
import type { Meters } from './service/metrics/meters.js';
import { SharedValues } from './service/metrics/shared-values.js';
import { Statistics } from './service/metrics/statistics.js';
import { Callbacks } from './service/observations/callbacks.js';
import { KcidbExport } from './service/observations/kcidb-export.js';
import { Observations } from './service/observations/observations.js';
import { Leases } from './service/pools/leases.js';
import { PoolJobs } from './service/pools/pool-jobs.js';
import { Pools } from './service/pools/pools.js';
import { PullLabs } from './service/pools/pull-labs.js';
import type { Storage } from './storage.js';
import type { Database } from './store/database.js';
import { ExporterSeat } from './store/database-values.js';
import { HostStore } from './store/host-store.js';
import { IdempotencyStore } from './store/idempotency-store.js';

/** The services that the routes use; each use case of src/service is a member. */
export interface Services {
  readonly hosts: Hosts;
  readonly explorations: Explorations;
  readonly graphs: Graphs;
  readonly campaigns: Campaigns;
  readonly comparisons: Comparisons;
  readonly observations: Observations;
  readonly callbacks: Callbacks;
  readonly kcidbExport: KcidbExport;
  readonly explanations: Explanations;
  readonly pools: Pools;
  readonly poolJobs: PoolJobs;
  readonly leases: Leases;
  readonly pullLabs: PullLabs;
  readonly events: Events;
  readonly idempotency: Idempotency;
  readonly statistics: Statistics;
}

/** The services with their lifecycle. */
interface Composition {
  readonly services: Services;
  start(): Promise<void>;
  windDown(): void;
  close(): Promise<void>;
}

/** What the services need from the process. */
interface Surroundings {
  /** Aborted when the process begins to stop. */
  readonly closing: AbortSignal;
  readonly meters: Meters;
  warn(error: unknown, what: string): void;
}

export async function compose(
  config: Config,
  storage: Storage,
  { closing, meters, warn }: Surroundings,
): Promise<Composition> {
  const { database } = storage;
  // What is abandoned at the end, so that it ends in time, finds its connections gone. That concerns nobody.
  const onError = (error: Error): void => {
    if (!closing.aborted) warn(error, 'the database or the queue is unavailable');
  };
  const queue = await WorkQueue.open({
    databaseUrl: database.url,
    queueUrl: config.queueUrl,
    lockSeconds: config.jobLockSeconds,
    onError,
  });
  const keys = new IdempotencyStore(database.url, onError);
  const warmThread = new WarmSearchThread();
  const graphThread = new GraphThread();
  const hosts = new HostStore(database, HOSTS_MAX, (seconds, items) => {
    meters.observe('pebslab_commit_duration_seconds', seconds);
    meters.observe('pebslab_commit_group_size', items);
  });
  const ends = {
    explorations: endMetrics(meters, 'explorations'),
    campaigns: endMetrics(meters, 'campaigns'),
    explanations: endMetrics(meters, 'explanations'),
  };
  const seat = new ExporterSeat(database.url, onError);
  const shared = new SharedValues(database, queue, seat);
  meters.beforeScrape(() => shared.exportTo(meters));
  const statistics = new Statistics(meters, shared);
  meters.beforeRead(() => showLoad(meters, database, queue));
  const observations = new Observations(database, {
    closing,
    meters,
    deadSeconds: config.jobLockSeconds,
    warn,
  });
  const around = { database, queue, meters, closing, ends };
  const explorations = new Explorations(around, config.searchMegabytes);
  const leases = new Leases(database, warn);
  const idempotency = new Idempotency(keys);
  const callbacks = new Callbacks(observations, idempotency);
  const events = new Events(database, onError);
  await events.open();
  const kcidbExport = new KcidbExport(database);
  await kcidbExport.open();
  const worker =
    config.role === 'api'
      ? undefined
      : composeWorker(config, storage.isPrivate, around, warmThread, observations, warn);
  return {
    services: {
      hosts: new Hosts(hosts, machineMetrics(meters)),
      explorations,
      graphs: new Graphs(graphThread, config.searchMegabytes),
      campaigns: new Campaigns(around),
      comparisons: new Comparisons(new RaceVerdicts(warmThread)),
      observations,
      callbacks,
      kcidbExport,
      explanations: new Explanations(around, observations),
      pools: new Pools(database),
      poolJobs: new PoolJobs(database, explorations, closing),
      leases,
      pullLabs: new PullLabs(database, leases),
      events,
      idempotency,
      statistics,
    },
    start: async () => {
      statistics.start();
      await observations.start(storage.isPrivate);
      leases.start();
      await worker?.start();
    },
    windDown: () => {
      statistics.stop();
      leases.stop();
      worker?.windDown();
    },
    close: async () => {
      await callbacks.close();
      await observations.close();
      await queue.close();
      await seat.close();
      await events.close();
      await keys.close();
      await warmThread.close();
      await graphThread.close();
      await worker?.close();
    },
  };
}

/** What is read off the connections and the workers of this instance at each scrape. */
function showLoad(meters: Meters, { pool }: Database, queue: WorkQueue): void {
  meters.set('pebslab_database_pool', pool.idleCount, { state: 'idle' });
  meters.set('pebslab_database_pool', pool.totalCount - pool.idleCount, { state: 'used' });
  meters.set('pebslab_database_pool', pool.waitingCount, { state: 'waiting' });
  for (const lane of LANES) {
    const load = queue.load[lane];
    const labels = { queue: lane };
    meters.set('pebslab_jobs_running', load.running, labels);
    meters.set('pebslab_worker_slots', load.slots, labels);
    meters.count('pebslab_worker_busy_seconds_total', labels, load.takeBusySeconds());
    meters.count('pebslab_jobs_taken_over_total', labels, 0);
  }
}

/** While the result of one small search is stored, the warm thread runs the next. */
const SMALL_CONCURRENCY = 2;

/** The worker of this instance: it runs the jobs of all instances, and housekeeping. */
function composeWorker(
  config: Config,
  isPrivate: boolean,
  around: Workplace,
  warmThread: WarmSearchThread,
  observations: Observations,
  warn: Surroundings['warn'],
): Omit<Composition, 'services'> {
  const { queueUrl, searchMegabytes, workerConcurrency } = config;
  const { database, queue } = around;
  const kept = new KeptFolders(config.dataDir, config.checkpointMegabytes);
  const explorations = new ExplorationWork(around, warmThread, searchMegabytes, kept);
  const explanations = new ExplanationWork(around, (id) => observations.storedRecords(id));
  const pool = new WalkPool(workerConcurrency);
  const campaigns = new CampaignWork(around, pool);
  const house = new Housekeeping(database, queue, config);
  const watching = setInterval(() => {
    house.watch().catch((error) => warn(error, 'the queue is unavailable'));
    explorations.clearKept().catch((error) => warn(error, 'what searches kept cannot be removed'));
  }, HOUSEKEEPING_SECONDS * 1000).unref();
  return {
    start: async () => {
      // No other process uses a private database or the queue in it, so the previous holder of a job is dead.
      if (isPrivate && queueUrl === undefined) await queue.clear();
      await house.putBack();
      await explorations.clearKept();
      await house.watch();
      await queue.work(
        {
          [EXPLORATION]: (data, signal) => explorations.carryOut(data, signal),
          [EXPLANATION]: (data, signal) => explanations.carryOut(data, signal),
          [CAMPAIGN_CHUNK]: (data, signal) => campaigns.carryOutChunk(data, signal),
          [CAMPAIGN_END]: (data, signal) => campaigns.carryOutEnd(data, signal),
          [HOUSEKEEPING]: () => house.keep(),
        },
        { small: SMALL_CONCURRENCY, work: workerConcurrency },
      );
    },
    windDown: () => clearInterval(watching),
    close: async () => {
      await explanations.close();
      await pool.close();
    },
  };
}
