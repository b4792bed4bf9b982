/**
 * The queue of long work, on BullMQ: with its PostgreSQL backend in a schema of its own, or on Redis or Valkey. A job only
 * names its row; who works on it, how often and until when is the queue's business, what came of it is the row's.
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

const QUEUE = 'work';
const SCHEMA = 'bullmq';
/** A job is tried again until its row says that it is done: a failure here is the database's or the queue's. */
const ATTEMPTS_MAX = 1000;

/** A piece of work, by the kind of its handler; a job with an id that is in the queue already is not added again. */
export interface WorkJob {
  readonly kind: string;
  readonly id: string;
  readonly data: object;
  /** Small work first: 1 to 1000. */
  readonly priority: number;
}

/** Does the work. `released` puts it back into the queue, for another worker. */
export type WorkHandler = (data: never, signal: AbortSignal) => Promise<'done' | 'released'>;

export interface WorkQueueOptions {
  readonly databaseUrl: string;
  /** Redis or Valkey instead of PostgreSQL. */
  readonly queueUrl?: string | undefined;
  /** After how long the work of a dead worker is taken over. */
  readonly lockSeconds: number;
  readonly onError: (error: Error) => void;
}

export class WorkQueue {
  private readonly options: WorkQueueOptions;
  private readonly pool: pg.Pool | undefined;
  private readonly queue: Queue;
  private worker: Worker | undefined;
  private readonly stopping = new AbortController();

  private constructor(options: WorkQueueOptions, pool: pg.Pool | undefined) {
    const onError = (error: Error): void => options.onError(withoutCommand(error));
    this.options = { ...options, onError };
    this.pool = pool;
    this.queue = new Queue(QUEUE, this.connection(), ...backend(pool));
    this.queue.on('error', onError);
    // Every job under way listens.
    setMaxListeners(0, this.stopping.signal);
  }

  static async open(options: WorkQueueOptions): Promise<WorkQueue> {
    if (options.queueUrl !== undefined) return new WorkQueue(options, undefined);
    const pool = new pg.Pool({
      ...connectionOptions(options.databaseUrl),
      // A worker listens on one of them.
      max: 6,
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
    return new WorkQueue(options, pool);
  }

  async add(jobs: readonly WorkJob[]): Promise<void> {
    for (let at = 0; at < jobs.length; at += BULK) {
      await this.queue.addBulk(
        jobs.slice(at, at + BULK).map(({ kind, id, data, priority }) => ({
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
  }

  /** The same where the rows are written already: housekeeping adds what cannot be added now. */
  async offer(jobs: readonly WorkJob[]): Promise<void> {
    await this.add(jobs).catch(this.options.onError);
  }

  /** Whether no job waits. */
  async isEmpty(): Promise<boolean> {
    return (await this.queue.count()) === 0;
  }

  /** Adds the same job again and again. */
  async schedule(kind: string, everySeconds: number): Promise<void> {
    await this.queue.upsertJobScheduler(
      kind,
      { every: everySeconds * 1000 },
      { name: kind, data: {}, opts: { removeOnComplete: true, removeOnFail: true } },
    );
  }

  /** Forgets all jobs. Right only where no other worker can be alive: their rows put them back. */
  async clear(): Promise<void> {
    await this.queue.obliterate({ force: true });
  }

  /** Works on jobs of all kinds, so many at once. */
  async work(handlers: Readonly<Record<string, WorkHandler>>, concurrency: number): Promise<void> {
    const { lockSeconds } = this.options;
    const worker = new Worker(
      QUEUE,
      (job, token, signal) => this.carryOut(handlers, job, token, signal),
      {
        ...this.connection(),
        concurrency,
        lockDuration: lockSeconds * 1000,
        stalledInterval: lockSeconds * 500,
        maxStalledCount: ATTEMPTS_MAX,
      },
      ...backend(this.pool),
    );
    worker.on('error', this.options.onError);
    this.worker = worker;
    await worker.waitUntilReady();
  }

  /** Takes no more work, gives back what is under way, and disconnects. A queue that is away keeps nobody waiting. */
  async close(): Promise<void> {
    this.stopping.abort();
    await within(CLOSE_MILLIS_MAX, this.worker?.close());
    await within(CLOSE_MILLIS_MAX, this.queue.close());
    await within(CLOSE_MILLIS_MAX, this.pool?.end());
  }

  private async carryOut(
    handlers: Readonly<Record<string, WorkHandler>>,
    job: Job,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const handler = handlers[job.name];
    if (handler === undefined) throw new Error(`nobody works on ${job.name}`);
    const end = new AbortController();
    const abort = (): void => end.abort();
    // Not by `AbortSignal.any`: on Node.js 20 a signal that outlives all jobs would remember each of them.
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

const BULK = 500;
const CLOSE_MILLIS_MAX = 2000;

/** Waits so long at most; whatever is not done then, or fails, is left. */
async function within(millis: number, work: Promise<unknown> | undefined): Promise<void> {
  const late = new AbortController();
  await Promise.race([
    work?.catch(() => {}),
    sleep(millis, undefined, { signal: late.signal }).catch(() => {}),
  ]);
  late.abort();
}

/** The client of Redis puts the command that failed on its error, which for AUTH holds the password: it is not for the log. */
function withoutCommand(error: Error): Error {
  if ('command' in error) delete error.command;
  return error;
}

/** The backend argument of BullMQ's classes; Redis is what they take without one. */
function backend(pool: pg.Pool | undefined): [never] | [] {
  return pool === undefined ? [] : [createPostgresBackend as never];
}
