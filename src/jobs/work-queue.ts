/**
 * The queue of long work, on BullMQ: with its PostgreSQL backend in a schema of its own, or on Redis or Valkey. A job carries
 * only a row id. The queue decides who runs it and when; the row holds the result.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createPostgresBackend,
  type Job,
  Queue,
  type QueueOptions,
  runMigrations,
  WaitingError,
  Worker,
} from 'bullmq';
import pg from 'pg';
import { connectionOptions, surviveBreaks } from '../store/database.js';
import type { Lane } from '../store/tables.js';

/** Each lane has its own queue and workers. */
export const LANES: readonly Lane[] = ['small', 'work'];

const SCHEMA = 'bullmq';
/** A job is retried until its row has ended: a job fails only when the database or the queue does. */
const ATTEMPTS_MAX = 1000;

/** A piece of work; `kind` names its handler. A job whose id is already in the queue is not added again. */
export interface WorkJob {
  readonly kind: string;
  readonly id: string;
  readonly data: object;
  readonly lane: Lane;
  /** 1 to 1000, low numbers first. */
  readonly priority: number;
}

/** Does the work. `released` puts it back into the queue, for another worker. */
type WorkHandler = (data: never, signal: AbortSignal) => Promise<'done' | 'released'>;

/** The load of the workers of one lane of this instance. */
export class LaneLoad {
  /** How many jobs can run at once. */
  slots = 0;
  running = 0;
  private busyMillis = 0;
  private changedAt = performance.now();

  change(by: number): void {
    const now = performance.now();
    this.busyMillis += this.running * (now - this.changedAt);
    this.changedAt = now;
    this.running += by;
  }

  /** The time spent in jobs since this was last asked, added up over the slots. */
  takeBusySeconds(): number {
    this.change(0);
    const seconds = this.busyMillis / 1000;
    this.busyMillis = 0;
    return seconds;
  }
}

interface WorkQueueOptions {
  readonly databaseUrl: string;
  /** Redis or Valkey instead of PostgreSQL. */
  readonly queueUrl?: string | undefined;
  /** How long until another worker takes over the work of a dead one. */
  readonly lockSeconds: number;
  readonly onError: (error: Error) => void;
}

export class WorkQueue {
  private readonly options: WorkQueueOptions;
  private readonly pool: pg.Pool | undefined;
  private readonly queues: Readonly<Record<Lane, Queue>>;
  private workers: readonly Worker[] = [];
  /** What the workers of this instance do. */
  readonly load: Readonly<Record<Lane, LaneLoad>> = { small: new LaneLoad(), work: new LaneLoad() };
  private readonly stopping = new AbortController();

  private constructor(options: WorkQueueOptions, pool: pg.Pool | undefined) {
    const onError = (error: Error): void => options.onError(withoutCommand(error));
    this.options = { ...options, onError };
    this.pool = pool;
    const queue = (lane: Lane): Queue =>
      new Queue(lane, this.connection(), ...backend(pool)).on('error', onError);
    this.queues = { small: queue('small'), work: queue('work') };
    // Every running job listens.
    setMaxListeners(0, this.stopping.signal);
  }

  static async open(options: WorkQueueOptions): Promise<WorkQueue> {
    if (options.queueUrl !== undefined) return new WorkQueue(options, undefined);
    const pool = new pg.Pool({
      ...connectionOptions(options.databaseUrl),
      // The workers of each lane listen on one connection each.
      max: 8,
      // No request waits for it, and when many connect at once each takes longer.
      connectionTimeoutMillis: CONNECT_MILLIS_MAX,
      options: `-c search_path=${SCHEMA}`,
      query_timeout: undefined,
      types: undefined,
    });
    pool.on('error', options.onError);
    surviveBreaks(pool);
    try {
      const client = await pool.connect();
      try {
        await runMigrations(client, SCHEMA);
      } finally {
        client.release();
      }
    } catch (error) {
      await pool.end();
      throw error;
    }
    const queue = new WorkQueue(options, pool);
    // Before the app compiles its schemas: on a slow machine that takes longer than a connection may.
    await Promise.all(LANES.map((lane) => queue.queues[lane].waitUntilReady()));
    return queue;
  }

  async add(jobs: readonly WorkJob[]): Promise<void> {
    for (const lane of LANES) {
      const own = jobs.filter((job) => job.lane === lane);
      for (let at = 0; at < own.length; at += BULK) {
        await this.addSome(lane, own.slice(at, at + BULK));
      }
    }
  }

  private async addSome(lane: Lane, jobs: readonly WorkJob[]): Promise<void> {
    await this.queues[lane].addBulk(
      jobs.map(({ kind, id, data, priority }) => ({
        name: kind,
        data,
        opts: {
          jobId: id,
          priority,
          attempts: ATTEMPTS_MAX,
          backoff: { type: 'fixed', delay: 1000 },
          removeOnComplete: true,
          removeOnFail: true,
        },
      })),
    );
  }

  /** Like `add`, for rows already written: if it fails, housekeeping adds the jobs later. */
  async offer(jobs: readonly WorkJob[]): Promise<void> {
    await this.add(jobs).catch(this.options.onError);
  }

  /** How many jobs are waiting. What is scheduled for later does not count: housekeeping always is. */
  async depths(): Promise<Record<Lane, number>> {
    const depth = (lane: Lane): Promise<number> =>
      this.queues[lane].getJobCountByTypes('waiting', 'prioritized');
    const [small, work] = await Promise.all([depth('small'), depth('work')]);
    return { small, work };
  }

  /** Adds the same small job at regular intervals. */
  async schedule(kind: string, everySeconds: number): Promise<void> {
    await this.queues.small.upsertJobScheduler(
      kind,
      { every: everySeconds * 1000 },
      { name: kind, data: {}, opts: { removeOnComplete: true, removeOnFail: true } },
    );
  }

  /** Deletes all jobs. Valid only if no other worker can be alive; housekeeping re-adds them from their rows. */
  async clear(): Promise<void> {
    for (const lane of LANES) await this.queues[lane].obliterate({ force: true });
  }

  /** Starts working on jobs of all kinds, `concurrency` of each lane at once. */
  async work(
    handlers: Readonly<Record<string, WorkHandler>>,
    concurrency: Readonly<Record<Lane, number>>,
  ): Promise<void> {
    this.workers = LANES.map((lane) => this.workerOf(lane, handlers, concurrency[lane]));
    await Promise.all(this.workers.map((worker) => worker.waitUntilReady()));
  }

  private workerOf(
    lane: Lane,
    handlers: Readonly<Record<string, WorkHandler>>,
    concurrency: number,
  ): Worker {
    const { lockSeconds } = this.options;
    const load = this.load[lane];
    load.slots = concurrency;
    const worker = new Worker(
      lane,
      async (job, token, signal) => {
        load.change(1);
        await this.carryOut(handlers, job, token, signal).finally(() => load.change(-1));
      },
      {
        ...this.connection(),
        concurrency,
        lockDuration: lockSeconds * 1000,
        stalledInterval: lockSeconds * 500,
        maxStalledCount: ATTEMPTS_MAX,
      },
      ...backend(this.pool),
    );
    return worker.on('error', this.options.onError);
  }

  /** Takes no more jobs, gives back the running ones, and disconnects. Bounded, so an unreachable queue cannot block shutdown. */
  async close(): Promise<void> {
    this.stopping.abort();
    await within(CLOSE_MILLIS_MAX, closed(this.workers));
    await within(CLOSE_MILLIS_MAX, closed(LANES.map((lane) => this.queues[lane])));
    await within(CLOSE_MILLIS_MAX, this.pool?.end());
  }

  private async carryOut(
    handlers: Readonly<Record<string, WorkHandler>>,
    job: Job,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const handler = handlers[job.name];
    if (handler === undefined) throw new Error(`no handler for ${job.name}`);
    const end = new AbortController();
    const abort = (): void => end.abort();
    // Not by `AbortSignal.any`: on Node.js 20 a signal that outlives the jobs keeps every signal derived from it.
    const signals = signal === undefined ? [this.stopping.signal] : [this.stopping.signal, signal];
    for (const each of signals) each.addEventListener('abort', abort, { once: true });
    if (signals.some(({ aborted }) => aborted)) abort();
    const outcome = await handler(job.data as never, end.signal).finally(() => {
      for (const each of signals) each.removeEventListener('abort', abort);
    });
    if (outcome === 'done') return;
    await job.moveToWait(token);
    throw new WaitingError();
  }

  private connection(): QueueOptions {
    const { queueUrl } = this.options;
    const connection = this.pool ?? {
      url: queueUrl,
      maxRetriesPerRequest: null,
      enableOfflineQueue: false,
    };
    return { connection } as QueueOptions;
  }
}

const CONNECT_MILLIS_MAX = 10_000;
const BULK = 500;
const CLOSE_MILLIS_MAX = 2000;

/** Waits at most `millis`; whatever is not done by then, or fails, is abandoned. */
async function within(millis: number, work: Promise<unknown> | undefined): Promise<void> {
  const late = new AbortController();
  await Promise.race([
    work?.catch(() => {}),
    sleep(millis, undefined, { signal: late.signal }).catch(() => {}),
  ]);
  late.abort();
}

function closed(all: readonly { close(): Promise<void> }[]): Promise<unknown> {
  return Promise.all(all.map((one) => one.close()));
}

/** The Redis client attaches the failed command to its error. For AUTH that is the password, which must not be logged. */
function withoutCommand(error: Error): Error {
  if ('command' in error) delete error.command;
  return error;
}

/** The backend argument of BullMQ's classes; without one they use Redis. */
function backend(pool: pg.Pool | undefined): [never] | [] {
  return pool === undefined ? [] : [createPostgresBackend as never];
}
