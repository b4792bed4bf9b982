/**
 * The records of a stored document. A document is parsed as a whole, which would hold the event loop: so it is read again in
 * a thread, and its records come from there a few at a time.
 */
import type { ReadingOptions } from '../../observations/reading.js';
import type { TextStore } from '../../store/text-store.js';
import type { ReadingThread, ReadingThreads } from './reading-thread.js';
import type { NumberedRecord, ReadableRecords, RecordPage } from './stored-records.js';
import { plainText } from './stored-text.js';

/** Taken over from the thread at once: a few milliseconds. */
const TAKEN_AT_ONCE = 1000;

export class DocumentRecords implements ReadableRecords {
  constructor(
    private readonly store: TextStore,
    private readonly id: string,
    private readonly options: ReadingOptions,
    private readonly threads: ReadingThreads,
  ) {}

  async *toExplain(): AsyncGenerator<readonly NumberedRecord[]> {
    const thread = await this.threads.take();
    try {
      await this.read(thread);
      for (let after = 0; ; after += TAKEN_AT_ONCE) {
        const records = await numberedRecords(thread, after, TAKEN_AT_ONCE);
        if (records.length === 0) return;
        yield records;
      }
    } finally {
      this.threads.giveBack(thread);
    }
  }

  async page(after: number, limit: number): Promise<RecordPage> {
    const thread = await this.threads.take();
    try {
      await this.read(thread);
      const records = await numberedRecords(thread, after, limit + 1);
      return { records: records.slice(0, limit), hasMore: records.length > limit };
    } finally {
      this.threads.giveBack(thread);
    }
  }

  private async read(thread: ReadingThread): Promise<void> {
    await thread.begin({ ...this.options, keeps: false, holds: true });
    for await (const piece of plainText(this.store, this.id)) {
      await thread.read([piece]);
    }
    await thread.end();
  }
}

async function numberedRecords(
  thread: ReadingThread,
  after: number,
  limit: number,
): Promise<NumberedRecord[]> {
  const records = await thread.records(after, limit);
  return records.map((record, at) => ({ record, line: record.line, number: after + at + 1 }));
}
