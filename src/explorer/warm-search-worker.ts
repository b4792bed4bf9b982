/** The warm thread: one search after the other. */
import { answerTasks } from './answer-tasks.js';
import { loadModel } from './model.js';
import type { ExploreResult } from './result.js';
import { search } from './search.js';
import type { WarmSearchTask } from './warm-search-thread.js';

answerTasks<WarmSearchTask, ExploreResult>(async ({ source, options }) =>
  search(await loadModel(source), options),
);
