import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Budget } from './budget.js';
import { Exchange, type ExchangeMemory } from './exchange.js';
import { Gauge } from './gauge.js';
import { loadModel, type ModelSource } from './model.js';
import { conclude, type SearchOptions, searchShare } from './search.js';
import type { Findings } from './strategy.js';

/** The input of a worker: one share of one search. */
export interface WorkerTask {
  readonly source: ModelSource;
  readonly options: SearchOptions;
  readonly share: { readonly index: number; readonly of: number };
  readonly stop: SharedArrayBuffer;
  readonly gauges: SharedArrayBuffer;
  /** Null if the workers need not communicate. */
  readonly exchange: ExchangeMemory | null;
  /** For the first worker: ports that receive the findings of the others. For another: the port to the first. */
  readonly links: readonly MessagePort[];
}

const task = workerData as WorkerTask;
const model = await loadModel(task.source);
const findings = searchShare(model, task.options, {
  budget: new Budget(task.options.limits ?? {}, new Int32Array(task.stop)),
  gauge: new Gauge(task.gauges, task.share.index),
  share: task.share,
  exchange:
    task.exchange === null ? null : new Exchange(task.exchange, task.share.index, model.words),
});
if (task.share.index > 0) {
  task.links[0]?.postMessage(findings);
} else {
  const others = await Promise.all(task.links.map(findingsOf));
  parentPort?.postMessage(conclude(model, task.options, [findings, ...others], 0));
}

/** The one message a worker sends. */
function findingsOf(link: MessagePort): Promise<Findings> {
  return new Promise((resolve) => link.once('message', resolve));
}
