/** The threads that walk: one pool for the whole process, started when first needed and kept warm for a minute. */
import { Piscina } from 'piscina';

const IDLE_MILLIS = 60_000;

/** What the module `walk-worker.js` exports. */
type WalkJob = 'walkChunkHere' | 'firstViolationHere';

export class WalkPool {
  private readonly threads: Piscina;

  constructor(threads: number) {
    this.threads = new Piscina({
      filename: new URL('./walk-worker.js', import.meta.url).href,
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE_MILLIS,
      // Workers run compiled JavaScript only; loaders of the parent would cost each of them half a second.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
  }

  /**
   * Runs a job in a thread when one is free. An abort ends the thread in the middle of what it does, and the promise
   * rejects with an `AbortError`; the other threads go on.
   */
  run<Task, Result>(job: WalkJob, task: Task, signal?: AbortSignal): Promise<Result> {
    return this.threads.run(task, { name: job, signal: signal ?? null }) as Promise<Result>;
  }

  /** Ends the threads and what they are doing. */
  async close(): Promise<void> {
    await this.threads.destroy();
  }
}
