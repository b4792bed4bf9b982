import { Worker } from 'node:worker_threads';
import { YOUNG_MEGABYTES_MAX } from './explore.js';
import type { ModelSource } from './model.js';
import type { ExploreResult } from './result.js';
import type { SearchOptions } from './search.js';

/** One small search for the warm thread. */
export interface WarmSearchTask {
  readonly number: number;
  readonly source: ModelSource;
  readonly options: SearchOptions;
}

export type WarmSearchAnswer =
  | { readonly number: number; readonly result: ExploreResult }
  | { readonly number: number; readonly error: string };

/**
 * Keeps one thread warm for small searches: starting a thread and compiling its code takes longer than most of them.
 * Tasks run one after the other, so each must be bounded; a search that reaches its bounds is rerun by `explore`.
 */
export class WarmSearchThread {
  private worker: Worker | undefined;
  private readonly waiting = new Map<
    number,
    { resolve: (result: ExploreResult) => void; reject: (error: Error) => void }
  >();
  private next = 0;

  /** Rejects if the model violates its contract or the thread dies; the next task restarts the thread. */
  search(source: ModelSource, options: SearchOptions): Promise<ExploreResult> {
    this.worker ??= this.start();
    const task: WarmSearchTask = { number: this.next++, source, options };
    const answer = new Promise<ExploreResult>((resolve, reject) => {
      this.waiting.set(task.number, { resolve, reject });
    });
    this.worker.ref();
    this.worker.postMessage(task);
    return answer;
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private start(): Worker {
    const worker = new Worker(new URL('./warm-search-worker.js', import.meta.url), {
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES_MAX },
    });
    worker.on('message', (answer: WarmSearchAnswer) => this.settle(worker, answer));
    worker.on('error', (error) => this.lose(error));
    worker.on('exit', () => this.lose(new Error('the search thread ended')));
    return worker;
  }

  private settle(worker: Worker, answer: WarmSearchAnswer): void {
    const waiting = this.waiting.get(answer.number);
    this.waiting.delete(answer.number);
    // An idle thread does not keep the process alive.
    if (this.waiting.size === 0) worker.unref();
    if ('result' in answer) waiting?.resolve(answer.result);
    else waiting?.reject(new Error(answer.error));
  }

  private lose(error: Error): void {
    this.worker = undefined;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
