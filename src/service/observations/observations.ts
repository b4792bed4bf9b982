/** The texts of real machines: reading them as they arrive, what was read in them, and the texts themselves. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Observation,
  ObservationPreview,
  ObservationQuery,
} from '../../../schemas/observation.js';
import type { ObservedRecordView } from '../../../schemas/observed-record.js';
import { DOCUMENTS } from '../../observations/documents/formats.js';
import { recordView } from '../../observations/record-view.js';
import type { Database } from '../../store/database.js';
import { eventOf } from '../../store/event-store.js';
import { type ObservationRow, ObservationStore } from '../../store/observation-store.js';
import { TextStore } from '../../store/text-store.js';
import { finished } from '../../store/work-store.js';
import type { Reply, Ticket } from '../idempotency.js';
import { waitFor } from '../long-work/waiting.js';
import type { Meters } from '../metrics/meters.js';
import { type Numbered, numbered } from '../numbered.js';
import type { ResultToken } from '../pools/observed.js';
import { ProblemError, tryLater } from '../problem-error.js';
import { missing } from '../refusals.js';
import { DocumentRecords } from './document-records.js';
import { countReading } from './observation-metrics.js';
import { ReadingThreads } from './reading-thread.js';
import { Receiving, readBody, type TextBody } from './receiving.js';
import { type ReadableRecords, StoredRecords } from './stored-records.js';
import { gzipText, plainText } from './stored-text.js';
import {
  type About,
  endedEvent,
  observationOf,
  previewOf,
  SERVICE_ENDED,
  summaryOf,
} from './views.js';

/** A request is answered before its text is read where that takes longer after the end of its body. */
const PATIENCE_MILLIS = 1000;

/** How a request is to be answered. */
interface Terms {
  readonly patienceMillis: number;
  /** The status where the text has been read by then. */
  readonly doneStatus: number;
  readonly resultToken?: ResultToken;
}

export const uploadTerms = (waitMillis: number): Terms => ({
  patienceMillis: Math.max(waitMillis, PATIENCE_MILLIS),
  doneStatus: 201,
});

interface RecordRows {
  readonly rows: readonly Numbered<ObservedRecordView>[];
  readonly hasMore: boolean;
}

interface Surroundings {
  readonly closing: AbortSignal;
  readonly meters: Meters;
  /** After so long without a sign of life, whoever reads a text is dead. */
  readonly deadSeconds: number;
  warn(error: unknown, what: string): void;
}

export class Observations {
  private readonly observations: ObservationStore;
  private readonly texts: TextStore;
  private readonly threads = new ReadingThreads();
  private readonly underWay = new Map<string, Promise<unknown>>();
  private beating: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly surroundings: Surroundings,
  ) {
    this.observations = new ObservationStore(database);
    this.texts = new TextStore(database);
  }

  /** `isAlone`: no other instance uses the database, so what is unfinished was left by one that is dead. */
  async start(isAlone: boolean): Promise<void> {
    const { deadSeconds, warn } = this.surroundings;
    await this.endOrphans(isAlone ? 0 : deadSeconds);
    const beat = async (): Promise<void> => {
      await this.observations.beat([...this.underWay.keys()]);
      await this.endOrphans(deadSeconds);
    };
    this.beating = setInterval(
      () => void beat().catch((error) => warn(error, 'texts cannot be looked after')),
      (deadSeconds * 1000) / 3,
    ).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.beating);
    await Promise.allSettled(this.underWay.values());
    await this.threads.close();
  }

  /** Reads a text and stores nothing. */
  async preview(about: About, body: TextBody): Promise<ObservationPreview> {
    const read = await readBody(this.threads, about, body);
    countReading(this.surroundings.meters, read);
    return previewOf(about, read);
  }

  /** The answer is 202 where reading takes longer after the body has come to its end. */
  async create(
    about: About,
    body: TextBody,
    ticketOf: () => Ticket | undefined,
    { patienceMillis, doneStatus, resultToken }: Terms,
  ): Promise<Reply<Observation>> {
    const stores = { observations: this.observations, texts: this.texts };
    const receiving = new Receiving(stores, about, ticketOf, doneStatus, resultToken);
    const reading = this.watch(receiving, body);
    await Promise.race([reading, receiving.arrived]);
    const patience = sleep(patienceMillis, undefined, { ref: false });
    const accepted = patience.then(() => receiving.accept());
    const reply = (await Promise.race([reading, accepted])) ?? (await reading);
    if (reply !== undefined) return reply;
    throw tryLater('unavailable', 'Another instance has taken this one for dead.', 1);
  }

  async list(query: ObservationQuery, before: number, limit: number) {
    return numbered(await this.observations.list(before, limit, query), summaryOf);
  }

  /** Waits for the end of reading, at most so long. */
  async wait(id: string, millis: number): Promise<Observation> {
    const { closing } = this.surroundings;
    const read = () => this.row(id);
    const isOver = ({ finishedAt }: ObservationRow) => finishedAt !== null;
    return observationOf(await waitFor(this.database, finished(id), closing, millis, read, isOver));
  }

  async assertThere(id: string): Promise<void> {
    await this.row(id);
  }

  /** Its explanations go with it; those who work at one hear of it. */
  async delete(id: string): Promise<void> {
    const event = eventOf('observation.deleted', id);
    const eventFor = (explanation: string) => eventOf('explanation.deleted', explanation);
    if (!(await this.observations.delete(id, event, eventFor))) missing('observation', id);
  }

  /** The text as it was sent. */
  async text(id: string, isPacked: boolean): Promise<AsyncGenerator<Uint8Array>> {
    const { crc, textBytes } = await this.done(id);
    return isPacked
      ? gzipText(this.texts, id, { crc, bytes: textBytes })
      : plainText(this.texts, id);
  }

  async records(id: string, after: number, limit: number): Promise<RecordRows> {
    const { records, hasMore } = await (await this.storedRecords(id)).page(after, limit);
    const rows = records.map(({ number, line, record }) => ({
      seq: number,
      item: { ...recordView(record), line } as ObservedRecordView,
    }));
    return { rows, hasMore };
  }

  /** What was said and read of the machine that made a text. */
  async factsOf(id: string): Promise<Readonly<Record<string, string>>> {
    return observationOf(await this.done(id)).facts ?? {};
  }

  /** What explanations read. */
  async storedRecords(id: string): Promise<ReadableRecords> {
    const row = await this.done(id);
    const { complete, facts } = row.about as About;
    const { format } = observationOf(row);
    const options = { format, facts, ...(complete === undefined ? {} : { complete }) };
    return DOCUMENTS.some(({ name }) => name === format)
      ? new DocumentRecords(this.texts, id, options, this.threads)
      : new StoredRecords(this.texts, id, options);
  }

  private async row(id: string): Promise<ObservationRow> {
    return (await this.observations.get(id)) ?? missing('observation', id);
  }

  private async done(id: string): Promise<ObservationRow> {
    const row = await this.row(id);
    if (row.state === 'done') return row;
    const why = row.error ?? 'It is being read; wait for its end with `Prefer: wait=N`.';
    throw new ProblemError('conflict', `There is no text of ${id} yet: ${why}`);
  }

  /** Counted among those under way until it has ended, whoever waits for it. */
  private async watch(
    receiving: Receiving,
    body: TextBody,
  ): Promise<Reply<Observation> | undefined> {
    const { meters, warn } = this.surroundings;
    const running = receiving.run(this.threads, body);
    this.underWay.set(
      receiving.id,
      running.catch(() => {}),
    );
    try {
      const { read, reply } = await running;
      countReading(meters, read);
      return reply;
    } catch (error) {
      if (!(error instanceof ProblemError)) warn(error, 'a text could not be read');
      throw error;
    } finally {
      this.underWay.delete(receiving.id);
    }
  }

  /** What nobody has heard of goes; what was accepted has failed. */
  private async endOrphans(seconds: number): Promise<void> {
    for (const { id, state, about } of await this.observations.orphans(seconds)) {
      if (this.underWay.has(id)) continue;
      if (state === 'arriving') await this.observations.drop(id);
      else {
        const event = endedEvent(id, about as About, undefined);
        await this.observations.fail(id, SERVICE_ENDED, event);
      }
    }
  }
}
