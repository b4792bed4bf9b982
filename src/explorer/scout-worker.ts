/** The warm thread: one search after the other. */
import { parentPort } from 'node:worker_threads';
import { loadModel } from './model.js';
import type { ScoutAnswer, ScoutTask } from './scout.js';
import { search } from './search.js';

parentPort?.on('message', async ({ number, source, options }: ScoutTask) => {
  parentPort?.postMessage(await answer(number, source, options));
});

async function answer(
  number: number,
  source: ScoutTask['source'],
  options: ScoutTask['options'],
): Promise<ScoutAnswer> {
  try {
    return { number, result: search(await loadModel(source), options) };
  } catch (error) {
    return { number, error: error instanceof Error ? error.message : String(error) };
  }
}
