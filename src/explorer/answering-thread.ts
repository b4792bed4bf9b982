import { Worker } from 'node:worker_threads';
import { YOUNG_MEGABYTES_MAX } from './explore.js';

/** A task for a thread that stays, and its answer. */
export interface Numbered<Task> {
  readonly number: number;
  readonly task: Task;
}

export type NumberedAnswer<Answer> =
  | { readonly number: number; readonly answer: Answer }
  | { readonly number: number; readonly error: string };

/**
 * Keeps one thread that carries out tasks one after the other, so each must be bounded. It starts with the first task, and
 * restarts with the next one if it dies.
 */
export class AnsweringThread<Task, Answer> {
  private readonly module: URL;
  /** After so long without a task the thread ends, and gives back its memory; never where undefined. */
  private readonly idleMillisMax: number | undefined;
  private worker: Worker | undefined;
  private idle: NodeJS.Timeout | undefined;
  private readonly waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  private next = 0;

  /** `module` answers with `answerTasks`. */
  constructor(module: URL, idleMillisMax?: number) {
    this.module = module;
    this.idleMillisMax = idleMillisMax;
  }

  /** Rejects if the task fails or the thread dies. */
  ask(task: Task): Promise<Answer> {
    clearTimeout(this.idle);
    this.worker ??= this.start();
    const numbered: Numbered<Task> = { number: this.next++, task };
    const answer = new Promise<Answer>((resolve, reject) => {
      this.waiting.set(numbered.number, { resolve, reject });
    });
    this.worker.ref();
    this.worker.postMessage(numbered);
    return answer;
  }

  async close(): Promise<void> {
    clearTimeout(this.idle);
    await this.worker?.terminate();
  }

  private start(): Worker {
    const worker = new Worker(this.module, {
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES_MAX },
    });
    worker.on('message', (answer: NumberedAnswer<Answer>) => this.settle(worker, answer));
    worker.on('error', (error) => this.lose(worker, error));
    worker.on('exit', () => this.lose(worker, new Error('the search thread ended')));
    return worker;
  }

  private settle(worker: Worker, answer: NumberedAnswer<Answer>): void {
    const waiting = this.waiting.get(answer.number);
    this.waiting.delete(answer.number);
    if (this.waiting.size === 0) this.rest(worker);
    if ('answer' in answer) waiting?.resolve(answer.answer);
    else waiting?.reject(new Error(answer.error));
  }

  /** An idle thread does not keep the process alive. */
  private rest(worker: Worker): void {
    worker.unref();
    if (this.idleMillisMax === undefined) return;
    this.idle = setTimeout(() => {
      if (this.worker === worker) this.worker = undefined;
      void worker.terminate();
    }, this.idleMillisMax).unref();
  }

  private lose(worker: Worker, error: Error): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
