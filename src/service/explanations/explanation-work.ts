/** Claims an explanation, reads the records, explains them kernel by kernel, stores what was found. */
import type { Explanation, KernelExplanation } from '../../../schemas/explanation.js';
import type { WorkJob } from '../../jobs/work-queue.js';
import { type EventInput, eventOf } from '../../store/event-store.js';
import type { WorkState } from '../../store/tables.js';
import type { WaitingWork, WorkRow } from '../../store/work-store.js';
import type { Workplace } from '../long-work/long-works.js';
import { type Outcome, PieceWork } from '../long-work/pieces.js';
import { workJob } from '../long-work/work-job.js';
import type { ReadableRecords } from '../observations/stored-records.js';
import { ExplainingThread } from './explaining-thread.js';
import type { StoredExplanation } from './explanations.js';
import { type CpuRecording, recordingOf } from './recorded.js';

export const EXPLANATION = 'explanation';
const SKIPPED_MAX = 64;

export const explanationJob = (waiting: WaitingWork): WorkJob => workJob(EXPLANATION, waiting);

type RecordsOf = (observation: string) => Promise<ReadableRecords>;

export class ExplanationWork extends PieceWork {
  /** Threads that wait: starting one takes longer than most explanations. */
  private readonly free: ExplainingThread[] = [];

  constructor(
    around: Workplace,
    private readonly recordsOf: RecordsOf,
  ) {
    super('explanations', around);
  }

  /** `signal` ends when this instance stops: then the explanation is given back, and starts again elsewhere. */
  carryOut({ id }: { readonly id: string }, signal: AbortSignal): Promise<Outcome> {
    return this.carryOutPiece({ id }, signal, async (ends, unwanted) => {
      const row = await this.store.start(id);
      if (row === undefined) return;
      if (row.cancelRequested) unwanted.abort();
      this.takeUp('work', row.deaths, 'explained this');
      const found = await this.explain(row, ends);
      if (!unwanted.signal.aborted) signal.throwIfAborted();
      const state = unwanted.signal.aborted ? 'cancelled' : 'succeeded';
      const { fits, verdict } = found;
      const event = this.ended(id, state, { fits, ...(verdict && { verdict }) });
      await this.store.finish(id, state, found, [event]);
    });
  }

  protected ended(id: string, state: WorkState, found: object): EventInput {
    return eventOf('explanation.ended', id, { state, ...found });
  }

  async close(): Promise<void> {
    await Promise.all(this.free.map((thread) => thread.close()));
  }

  private async explain(row: WorkRow, ends: AbortSignal): Promise<Found> {
    const asked = row.request as StoredExplanation;
    const records = await this.recordsOf(asked.observation);
    const { first_line: firstLine = 1, last_line: lastLine = Number.MAX_SAFE_INTEGER } =
      asked.window ?? {};
    const recording = await recordingOf(records.toExplain(), {
      cpu: asked.cpu,
      firstLine,
      lastLine,
    });
    if (recording === undefined) throw new Error(nothingToExplain(asked));
    await this.store.progress(row.id, recordedItem(recording), []);
    const thread = this.free.pop() ?? new ExplainingThread();
    thread.begin();
    const cancel = (): void => thread.cancel();
    if (ends.aborted) cancel();
    ends.addEventListener('abort', cancel);
    try {
      return await this.kernelByKernel(row.id, asked, recording, thread, ends);
    } finally {
      ends.removeEventListener('abort', cancel);
      this.free.push(thread);
    }
  }

  private async kernelByKernel(
    id: string,
    { kernels, cpu_model, model }: StoredExplanation,
    { run, symbols }: CpuRecording,
    thread: ExplainingThread,
    ends: AbortSignal,
  ): Promise<Found> {
    const items: KernelExplanation[] = [];
    const of = kernels.length;
    const newest = () => ({ kernels: items.length, of, records: thread.followed });
    await this.telling(id, 'explanation.progress', newest, async () => {
      for (const kernel of kernels) {
        if (ends.aborted) break;
        const given = { ...model, kernel, cpu_model };
        const item = await thread.explain({ given, run, symbols: symbols.data });
        if (!ends.aborted) items.push(item);
      }
    });
    return foundItem(items, of);
  }
}

function nothingToExplain({ cpu, window }: StoredExplanation): string {
  const of = cpu === undefined ? '' : ` of CPU ${cpu}`;
  const where = window === undefined ? '' : ' in the window';
  return `There are no records${of}${where} to explain: it takes WRMSRs of perf or KVM, or entries and exits (write_msr, kvm_entry, kvm_exit).`;
}

function recordedItem({ cpu, run }: CpuRecording): Partial<Explanation> {
  const skipped = [...run.skipped].map(([what, count]) => ({ what, count }));
  skipped.sort((a, b) => b.count - a.count);
  return { cpu, records: run.symbols.length, skipped: skipped.slice(0, SKIPPED_MAX) };
}

type Found = Pick<Explanation, 'kernels' | 'fits' | 'verdict' | 'progress'>;

function foundItem(kernels: KernelExplanation[], of: number): Found {
  const fits = kernels.filter(({ verdict }) => verdict === 'explained').map(({ kernel }) => kernel);
  const progress = { kernels: kernels.length, of, records: 0 };
  const found = { kernels, fits, progress };
  return kernels.length === of ? { ...found, verdict: verdictOf(kernels) } : found;
}

/** As of the kernel that comes closest. */
function verdictOf(kernels: readonly KernelExplanation[]): KernelExplanation['verdict'] {
  const has = (wanted: string) => kernels.some(({ verdict }) => verdict === wanted);
  if (has('explained')) return 'explained';
  return has('undecided') ? 'undecided' : 'unexplained';
}
