/** A thread that explains one recording, kernel by kernel. */
import type { KernelExplanation } from '../../../schemas/explanation.js';
import { AnsweringThread } from '../../explorer/answering-thread.js';
import { Budget } from '../../explorer/budget.js';
import type { SymbolsData } from '../../model/recordings/symbols.js';
import type { RecordedRun } from '../../observations/explain/recorded-run.js';
import type { GivenWorld } from '../../observations/explain/worlds.js';

export interface ExplainingTask {
  readonly given: GivenWorld;
  readonly run: RecordedRun;
  readonly symbols: SymbolsData;
  /** The cell of a `Budget`, and records followed. */
  readonly stop: Int32Array;
  readonly progress: Int32Array;
}

const IDLE_MILLIS_MAX = 60_000;

export class ExplainingThread {
  private readonly thread = new AnsweringThread<ExplainingTask, KernelExplanation>(
    new URL('./explaining-worker.js', import.meta.url),
    IDLE_MILLIS_MAX,
  );
  private stop = new Int32Array(new SharedArrayBuffer(4));
  private readonly progress = new Int32Array(new SharedArrayBuffer(4));

  /** For the next recording: what was cancelled was another. */
  begin(): void {
    this.stop = new Int32Array(new SharedArrayBuffer(4));
  }

  /** How many records of the kernel under way were followed. */
  get followed(): number {
    return Atomics.load(this.progress, 0);
  }

  explain(task: Omit<ExplainingTask, 'stop' | 'progress'>): Promise<KernelExplanation> {
    const { stop, progress } = this;
    Atomics.store(progress, 0, 0);
    return this.thread.ask({ ...task, stop, progress });
  }

  /** What is under way is undecided within moments. */
  cancel(): void {
    new Budget({}, this.stop).stop('cancelled');
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}
