/** Texts are read in threads of their own: one text at a time in each, and few threads. */
import { AnsweringThread } from '../../explorer/answering-thread.js';
import type { Callback, CallbackFormat } from '../../observations/documents/callback.js';
import type { KeptRecord } from '../../observations/record.js';
import type { TextPiece } from '../../store/text-store.js';
import { ProblemError, tryLater } from '../problem-error.js';
import type { PieceOptions, ReadText } from './piece-reading.js';

export type ReadingTask =
  | { readonly kind: 'begin'; readonly options: PieceOptions }
  | { readonly kind: 'read'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'callback'; readonly format: CallbackFormat; readonly bytes: Uint8Array }
  | { readonly kind: 'records'; readonly after: number; readonly limit: number };

export interface ReadingAnswer {
  readonly piece?: TextPiece | undefined;
  readonly read?: ReadText | undefined;
  readonly records?: readonly KeptRecord[];
  readonly callback?: Callback;
  /** Why the text cannot be read, and what to send instead. */
  readonly refused?: string;
  /** Of a document: what in it is wrong. */
  readonly pointer?: string | undefined;
}

/**
 * How many batches a thread is given before it has read the first: when it has, it need not wait for the next. A batch is read in
 * three milliseconds, and on a busy machine its giver may have to wait longer for its turn.
 */
export const BATCHES_GIVEN_MAX = 4;
const THREADS_MAX = 4;
const IDLE_MILLIS_MAX = 60_000;
/** Lines become strings that nobody keeps: with less room they would be cleared away a thousand times in a gigabyte. */
const YOUNG_MEGABYTES_MAX = 16;
/** So many texts wait for a thread, for so long. */
const WAITING_MAX = 64;
const WAIT_MILLIS_MAX = 20_000;
const RETRY_SECONDS = 5;
const MEBIBYTE = 2 ** 20;

/** One text being read. */
export class ReadingThread {
  /** What is to be read is put where the thread sees it, in turn, so that none is garbage in two heaps. */
  private readonly shared = Array.from(
    { length: BATCHES_GIVEN_MAX },
    (): Buffer => Buffer.from(new SharedArrayBuffer(0)),
  );
  private readonly thread = new AnsweringThread<ReadingTask, ReadingAnswer>(
    new URL('./reading-worker.js', import.meta.url),
    IDLE_MILLIS_MAX,
    YOUNG_MEGABYTES_MAX,
  );

  async begin(options: PieceOptions): Promise<void> {
    await this.ask({ kind: 'begin', options });
  }

  /** Only where fewer than `BATCHES_GIVEN_MAX` are being read. */
  async read(batch: readonly Uint8Array[]): Promise<TextPiece | undefined> {
    return (await this.ask({ kind: 'read', bytes: this.share(batch) })).piece;
  }

  async end(): Promise<ReadText> {
    const { read } = await this.ask({ kind: 'end' });
    if (read === undefined) throw new Error('a text ends that was not begun');
    return read;
  }

  async callback(format: CallbackFormat, bytes: Uint8Array): Promise<Callback> {
    const { callback } = await this.ask({ kind: 'callback', format, bytes });
    if (callback === undefined) throw new Error('a thread did not look at a callback');
    return callback;
  }

  /** Of the text that has come to its end, if its records are held. */
  async records(after: number, limit: number): Promise<readonly KeptRecord[]> {
    return (await this.ask({ kind: 'records', after, limit })).records ?? [];
  }

  close(): Promise<void> {
    return this.thread.close();
  }

  private share(batch: readonly Uint8Array[]): Uint8Array {
    const bytes = batch.reduce((sum, { length }) => sum + length, 0);
    let shared = this.shared.shift() as Buffer;
    if (bytes > shared.length) {
      const mebibytes = Math.ceil(bytes / MEBIBYTE);
      shared = Buffer.from(new SharedArrayBuffer(mebibytes * MEBIBYTE));
    }
    this.shared.push(shared);
    let at = 0;
    for (const chunk of batch) {
      const end = at + chunk.length;
      // V8's own ways of copying into shared memory (set, copy) take several times as long.
      if (end > at) shared.fill(chunk, at, end);
      at = end;
    }
    return shared.subarray(0, bytes);
  }

  private async ask(task: ReadingTask): Promise<ReadingAnswer> {
    const answer = await this.thread.ask(task);
    if (answer.refused === undefined) return answer;
    throw unreadable(answer.refused, answer.pointer);
  }
}

/** `pointer` says where in a document it is wrong. */
export function unreadable(detail: string, pointer = ''): ProblemError {
  const errors = pointer === '' ? [] : [{ pointer, detail }];
  return new ProblemError('unreadable_text', detail, errors);
}

export class ReadingThreads {
  private readonly all: ReadingThread[] = [];
  private readonly free: ReadingThread[] = [];
  private readonly waiting: ((thread: ReadingThread) => void)[] = [];

  /** A thread for one text, at once or when one is free; to be given back. */
  async take(): Promise<ReadingThread> {
    const free = this.free.pop();
    if (free !== undefined) return free;
    if (this.all.length < THREADS_MAX) {
      const thread = new ReadingThread();
      this.all.push(thread);
      return thread;
    }
    if (this.waiting.length >= WAITING_MAX) throw busy();
    return new Promise((resolve, reject) => {
      const got = (thread: ReadingThread): void => {
        clearTimeout(timer);
        resolve(thread);
      };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(got), 1);
        reject(busy());
      }, WAIT_MILLIS_MAX);
      this.waiting.push(got);
    });
  }

  giveBack(thread: ReadingThread): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(thread);
    else next(thread);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((thread) => thread.close()));
  }
}

function busy(): ProblemError {
  const detail = `${THREADS_MAX} texts are being read, and others wait.`;
  return tryLater('unavailable', detail, RETRY_SECONDS);
}
