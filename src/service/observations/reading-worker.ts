/** A thread that reads texts, one after the other. */
import { answerTasks } from '../../explorer/answer-tasks.js';
import { callbackOf } from '../../observations/documents/callback.js';
import { BadDocument } from '../../observations/documents/document.js';
import { RefusedText } from '../../observations/reading.js';
import { PieceReading } from './piece-reading.js';
import type { ReadingAnswer, ReadingTask } from './reading-thread.js';

/** The text that is being read; one that is given up is forgotten when the next begins. */
let text: PieceReading | undefined;

answerTasks<ReadingTask, ReadingAnswer>(async (task) => {
  try {
    return await carryOut(task);
  } catch (error) {
    if (!(error instanceof BadDocument || error instanceof RefusedText)) throw error;
    return { refused: error.message, pointer: error.pointer };
  }
});

const bytesOf = ({ buffer, byteOffset, length }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, length);

async function carryOut(task: ReadingTask): Promise<ReadingAnswer> {
  switch (task.kind) {
    case 'begin':
      text = new PieceReading(task.options);
      return {};
    case 'read':
      return { piece: await text?.read(bytesOf(task.bytes)) };
    case 'end':
      return { read: await text?.end() };
    case 'callback':
      return { callback: callbackOf(task.format, bytesOf(task.bytes).toString('utf8')) };
    case 'records':
      return { records: text?.held(task.after, task.limit) ?? [] };
  }
}
