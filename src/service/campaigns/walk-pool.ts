/** The threads that walk: one pool for the whole process, started when first needed and kept warm for a minute. */
import { Piscina } from 'piscina';

const IDLE_MILLIS = 60_000;

type Jobs = typeof import('./walk-worker.js');

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
  run<Name extends keyof Jobs>(
    name: Name,
    task: Parameters<Jobs[Name]>[0],
    signal: AbortSignal | undefined,
  ): Promise<ReturnType<Jobs[Name]>> {
    return this.threads.run(task, { name, signal: signal ?? null });
  }

  /** Ends the threads and what they are doing. */
  async close(): Promise<void> {
    await this.threads.destroy();
  }
}
