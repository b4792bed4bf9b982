import { parentPort } from 'node:worker_threads';
import type { Numbered, NumberedAnswer } from './answering-thread.js';

/** In the thread of an `AnsweringThread`: answers its tasks in order. */
export function answerTasks<Task, Answer>(answer: (task: Task) => Promise<Answer>): void {
  let before: Promise<void> = Promise.resolve();
  parentPort?.on('message', ({ number, task }: Numbered<Task>) => {
    before = before.then(async () => {
      parentPort?.postMessage(await answered(number, () => answer(task)));
    });
  });
}

async function answered<Answer>(
  number: number,
  answer: () => Promise<Answer>,
): Promise<NumberedAnswer<Answer>> {
  try {
    return { number, answer: await answer() };
  } catch (error) {
    return { number, error: error instanceof Error ? error.message : String(error) };
  }
}
