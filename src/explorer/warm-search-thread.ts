import { AnsweringThread } from './answering-thread.js';
import type { ModelSource } from './model.js';
import type { ExploreResult } from './result.js';
import type { SearchOptions } from './search.js';

/** One small search for the warm thread. */
export interface WarmSearchTask {
  readonly source: ModelSource;
  readonly options: SearchOptions;
}

/**
 * Keeps one thread warm for small searches: starting a thread and compiling its code takes longer than most of them.
 * Each must be bounded; a search that reaches its bounds is rerun by `explore`.
 */
export class WarmSearchThread {
  private readonly thread = new AnsweringThread<WarmSearchTask, ExploreResult>(
    new URL('./warm-search-worker.js', import.meta.url),
  );

  /** Rejects if the model violates its contract or the thread dies. */
  search(source: ModelSource, options: SearchOptions): Promise<ExploreResult> {
    return this.thread.ask({ source, options });
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}
