import { performance } from 'node:perf_hooks';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Budget, type StopReason } from './budget.js';
import { estimateMillisLeft, type MillisLeft } from './estimate.js';
import { exchangeMemory } from './exchange.js';
import { GAUGE_BYTES, type GaugeReading, readGauges } from './gauge.js';
import type { ModelSource } from './model.js';
import type { ExploreResult } from './result.js';
import { assertOptions, type SearchOptions } from './search.js';
import type { WorkerTask } from './search-worker.js';

export interface ExploreOptions extends SearchOptions {
  /** Worker threads, 1 to 64. Default 1. Results do not depend on it. */
  readonly workers?: number | undefined;
  /** JavaScript heap of each worker in MB; states are outside it, bounded by `bytesMax`. Default 512. */
  readonly heapMegabytesMax?: number | undefined;
}

export interface ExploreWatch {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** How often `onProgress` is called; default 250. */
  readonly progressMillis?: number | undefined;
  /** Ends the search within 200 ms with the verdict `undecided` (unless something was found) and cut `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

export interface Progress {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** States found but not yet expanded. */
  readonly frontier: number;
  readonly bytes: number;
  readonly millis: number;
  /** Since the previous report. For random walks it counts steps. */
  readonly statesPerSecond: number;
  /** Null if unknown, the usual case. */
  readonly millisLeft: MillisLeft | null;
}

/**
 * Searches in its own worker threads; the calling thread stays free, and all memory is released at the end. Rejects if
 * the model or the options violate their contract or a worker crashes. If a worker runs out of memory, the result is
 * `undecided` with cut `memory`.
 */
export function explore(
  source: ModelSource,
  options: ExploreOptions = {},
  watch: ExploreWatch = {},
): Promise<ExploreResult> {
  return new Promise((resolve, reject) => {
    assertOptions(options, options.workers ?? 1);
    new Exploration(source, options, watch, resolve, reject);
  });
}

class Exploration {
  private readonly start = performance.now();
  private readonly options: ExploreOptions;
  private readonly watch: ExploreWatch;
  private readonly resolve: (result: ExploreResult) => void;
  private readonly reject: (error: Error) => void;
  private readonly workers: Worker[] = [];
  private readonly stop: SharedArrayBuffer;
  private readonly gauges: SharedArrayBuffer;
  private readonly ticker: NodeJS.Timeout | undefined;
  private grace: NodeJS.Timeout | undefined;
  private last: { millis: number; reading: GaugeReading };
  private settled = false;

  constructor(
    source: ModelSource,
    options: ExploreOptions,
    watch: ExploreWatch,
    resolve: (result: ExploreResult) => void,
    reject: (error: Error) => void,
  ) {
    this.options = options;
    this.watch = watch;
    this.resolve = resolve;
    this.reject = reject;
    const of = options.workers ?? 1;
    const breadthFirst = (options.strategy?.kind ?? 'breadth-first') === 'breadth-first';
    const exchange = of > 1 && breadthFirst ? exchangeMemory(of) : null;
    this.stop = exchange?.control ?? new SharedArrayBuffer(4);
    this.gauges = new SharedArrayBuffer(GAUGE_BYTES * of);
    this.last = { millis: 0, reading: readGauges(this.gauges, of) };
    // The findings go from worker to worker, not through this thread, which would keep their memory until its next
    // garbage collection.
    const channels = Array.from({ length: of - 1 }, () => new MessageChannel());
    for (let index = 0; index < of; index++) {
      const own = channels[index - 1];
      this.launch({
        source,
        options,
        share: { index, of },
        stop: this.stop,
        gauges: this.gauges,
        exchange,
        links: own === undefined ? channels.map((channel) => channel.port1) : [own.port2],
      });
    }
    if (watch.onProgress !== undefined)
      this.ticker = setInterval(() => this.report(), watch.progressMillis ?? 250);
    if (watch.signal?.aborted) this.cancel();
    else watch.signal?.addEventListener('abort', this.cancel, { once: true });
  }

  private launch(task: WorkerTask): void {
    const worker = new Worker(new URL('./search-worker.js', import.meta.url), {
      workerData: task,
      transferList: [...task.links],
      // Workers run only compiled JavaScript; loaders of the parent would cost each of them half a second and a thread.
      execArgv: [],
      resourceLimits: {
        maxOldGenerationSizeMb: this.options.heapMegabytesMax ?? 512,
        maxYoungGenerationSizeMb: YOUNG_MEGABYTES_MAX,
      },
    });
    this.workers.push(worker);
    worker.on('message', (result: ExploreResult) =>
      this.settle(() => this.resolve({ ...result, millis: performance.now() - this.start })),
    );
    worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') return this.giveUp('memory');
      const failure = new Error(`search worker failed: ${error.message}`, { cause: error });
      this.settle(() => this.reject(failure));
    });
    worker.on('exit', (code) => {
      // All but the first are done once they have passed on their findings.
      if (code === 0 && task.share.index > 0) return;
      const failure = new Error(`search worker ended too early, exit code ${code}`);
      this.settle(() => this.reject(failure));
    });
  }

  /** Asks the workers to stop; terminates them if they do not respond in time. */
  private readonly cancel = (): void => {
    new Budget({}, new Int32Array(this.stop)).stop('cancelled');
    this.grace = setTimeout(() => this.giveUp('cancelled'), GRACE_MILLIS);
  };

  /** Ends the search with the last values of the gauges. */
  private giveUp(cut: StopReason): void {
    const reading = readGauges(this.gauges, this.workers.length);
    this.settle(() =>
      this.resolve({
        verdict: 'undecided',
        complete: false,
        cut,
        distinctStates: this.options.strategy?.kind === 'random-walk' ? null : reading.states,
        totalStates: reading.transitions,
        depth: reading.depth,
        widestLevel: Math.max(...reading.widths),
        millis: performance.now() - this.start,
        bytes: reading.bytes,
        restoredStates: 0,
        properties: [],
      }),
    );
  }

  private settle(answer: () => void): void {
    if (this.settled) return;
    this.settled = true;
    clearInterval(this.ticker);
    clearTimeout(this.grace);
    this.watch.signal?.removeEventListener('abort', this.cancel);
    void Promise.all(this.workers.map((worker) => worker.terminate())).then(answer, answer);
  }

  private report(): void {
    const millis = performance.now() - this.start;
    const reading = readGauges(this.gauges, this.workers.length);
    const walking = this.options.strategy?.kind === 'random-walk';
    const span = millis - this.last.millis;
    const done = walking
      ? reading.transitions - this.last.reading.transitions
      : reading.states - this.last.reading.states;
    const partsPerMilli = walking ? reading.done / millis : done / span;
    this.last = { millis, reading };
    this.watch.onProgress?.({
      states: reading.states,
      transitions: reading.transitions,
      depth: reading.depth,
      frontier: reading.frontier,
      bytes: reading.bytes,
      millis,
      statesPerSecond: (done / span) * 1000,
      millisLeft: estimateMillisLeft(reading, partsPerMilli),
    });
  }
}

/** A search makes almost no garbage, and a running thread never returns the memory reserved for it. */
export const YOUNG_MEGABYTES_MAX = 4;

/** Workers read the stop cell every batch; one that takes longer than this is stuck in its model. */
const GRACE_MILLIS = 120;
