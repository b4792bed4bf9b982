/** The warm thread: one search after the other. */
import { parentPort } from 'node:worker_threads';
import { loadModel } from './model.js';
import { search } from './search.js';
import type { WarmSearchAnswer, WarmSearchTask } from './warm-search-thread.js';

parentPort?.on('message', async ({ number, source, options }: WarmSearchTask) => {
  parentPort?.postMessage(await answer(number, source, options));
});

async function answer(
  number: number,
  source: WarmSearchTask['source'],
  options: WarmSearchTask['options'],
): Promise<WarmSearchAnswer> {
  try {
    return { number, result: search(await loadModel(source), options) };
  } catch (error) {
    return { number, error: error instanceof Error ? error.message : String(error) };
  }
}
