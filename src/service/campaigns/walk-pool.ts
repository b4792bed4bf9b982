/** The threads that walk: one pool for the whole process, started when first needed and kept warm for a minute. */
import { Piscina } from 'piscina';
import type { CampaignPlan } from './plan.js';

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
   * Works on a cell of a plan in a thread when one is free. An abort ends the thread in the middle of what it does, and the
   * promise rejects with an `AbortError`; the other threads go on.
   */
  async run<Name extends keyof Jobs>(
    name: Name,
    { cells, stepsPerWalk }: CampaignPlan,
    piece: Parameters<Jobs[Name]>[0]['piece'],
    signal?: AbortSignal,
  ): Promise<ReturnType<Jobs[Name]>> {
    const cell = cells[piece.cell];
    if (cell === undefined || cell.skipped !== null) {
      throw new Error(`the plan has no walks in cell ${piece.cell}`);
    }
    return this.threads.run({ cell, stepsPerWalk, piece }, { name, signal: signal ?? null });
  }

  /** Ends the threads and what they are doing. */
  async close(): Promise<void> {
    await this.threads.destroy();
  }
}
