/**
 * One text, from its first byte until it is stored. The body is taken as fast as a thread reads it and the database stores
 * the pieces, so that little of it is in memory at any time.
 */
import type { Observation } from '../../../schemas/observation.js';
import type { ObservationRow, ObservationStore } from '../../store/observation-store.js';
import type { TextPiece, TextStore } from '../../store/text-store.js';
import { type Reply, storedAnswer, type Ticket } from '../idempotency.js';
import { randomId } from '../ids.js';
import { type ResultToken, settlesRun } from '../pools/observed.js';
import type { ReadText } from './piece-reading.js';
import { BATCHES_GIVEN_MAX, type ReadingThread, type ReadingThreads } from './reading-thread.js';
import { batchesOf, TEXT_BYTES_MAX, textOf, textTooLong } from './text-source.js';
import { type About, endedEvent, failureReason, observationOf } from './views.js';

/** A body as it comes. */
export interface TextBody {
  /** Whether it says that it is compressed by gzip. */
  readonly isEncoded: boolean;
  /** How long it says that it is; 0 where it does not. */
  readonly bytes: number;
  chunks(): AsyncIterable<Buffer>;
}

interface Stores {
  readonly observations: ObservationStore;
  readonly texts: TextStore;
}

/** Reads a body in a thread; `keep` is given each piece, and `arrived` is called when the body has come to its end. */
export async function readBody(
  threads: ReadingThreads,
  { format, complete, facts }: About,
  body: TextBody,
  keep?: (piece: TextPiece) => Promise<void>,
  arrived?: () => void,
): Promise<ReadText> {
  // Compressed or not, it cannot be shorter when it is unpacked.
  if (body.bytes > TEXT_BYTES_MAX) throw textTooLong();
  const batches = batchesOf(await textOf(body.chunks(), body.isEncoded));
  let thread: ReadingThread | undefined;
  try {
    // A thread is taken when there is something to read, so that slow clients hold none in vain.
    const first = await batches.next();
    thread = await threads.take();
    const keeps = keep !== undefined;
    await thread.begin({ format, keeps, facts, ...(complete === undefined ? {} : { complete }) });
    const store = async (piece: TextPiece | undefined): Promise<void> => {
      if (piece !== undefined) await keep?.(piece);
    };
    const readings: Promise<TextPiece | undefined>[] = [];
    for (let next = first; next.done !== true; next = await batches.next()) {
      const reading = thread.read(next.value);
      reading.catch(() => {});
      readings.push(reading);
      // It reads this batch while what was read before is stored and the next one comes.
      if (readings.length === BATCHES_GIVEN_MAX) await store(await readings.shift());
    }
    arrived?.();
    for (const reading of readings) await store(await reading);
    const read = await thread.end();
    await store(read.last);
    return read;
  } finally {
    if (thread !== undefined) threads.giveBack(thread);
    await batches.return(undefined);
  }
}

export class Receiving {
  readonly id = randomId('obs');
  /** Resolves when the body has come to its end. */
  readonly arrived: Promise<void>;
  private readonly hasArrived: () => void;
  private begun: Promise<void> | undefined;
  private storedBytes = 0;
  /** Its request is answered before the text is read. */
  private accepted: Promise<Reply<Observation>> | undefined;
  private isEnding = false;

  /** The ticket is asked for once the body has come to its end. */
  constructor(
    private readonly stores: Stores,
    private readonly about: About,
    private readonly ticketOf: () => Ticket | undefined,
    private readonly doneStatus: number,
    private readonly resultToken: ResultToken,
  ) {
    let resolved: () => void = () => {};
    this.arrived = new Promise((resolve) => {
      resolved = resolve;
    });
    this.hasArrived = resolved;
  }

  /** Reads and stores it, and answers its request unless that has been accepted before. */
  async run(threads: ReadingThreads, body: TextBody): Promise<ReadResult> {
    try {
      const keep = (piece: TextPiece) => this.keep(piece);
      const read = await readBody(threads, this.about, body, keep, this.hasArrived);
      await this.begin();
      this.isEnding = true;
      const accepted = await this.accepted;
      return { read, reply: await this.finish(read, accepted) };
    } catch (error) {
      await this.giveUp(error);
      throw error;
    }
  }

  /** Answers the request before the text is read; undefined where that has just been done. */
  async accept(): Promise<Reply<Observation> | undefined> {
    if (this.isEnding) return undefined;
    this.accepted = this.begin().then(async () => {
      let reply: Reply<Observation> | undefined;
      await this.stores.observations.accept(this.id, (row) => {
        reply = this.replyOf(202, row);
        return this.answerOf(reply);
      });
      return reply as Reply<Observation>;
    });
    return this.accepted;
  }

  /** Before the first piece, which refers to it. */
  private begin(): Promise<void> {
    this.begun ??= this.stores.observations.begin(this.id, this.about);
    return this.begun;
  }

  private async keep(piece: TextPiece): Promise<void> {
    await this.begin();
    await this.stores.texts.keep(this.id, piece);
    this.storedBytes += piece.text.length;
  }

  private async finish(
    { answer, textBytes, crc }: ReadText,
    accepted: Reply<Observation> | undefined,
  ): Promise<Reply<Observation> | undefined> {
    let reply = accepted;
    const read = { answer, textBytes, crc, storedBytes: this.storedBytes };
    const event = endedEvent(this.id, this.about, answer);
    const settle = settlesRun(this.about.lease, this.resultToken, answer);
    const answerOf = (row: ObservationRow) => {
      if (accepted !== undefined) return undefined;
      reply = this.replyOf(this.doneStatus, row);
      return this.answerOf(reply);
    };
    await this.stores.observations.finish(this.id, read, event, answerOf, settle);
    return reply;
  }

  /** Nothing stays of what nobody has heard of. */
  private async giveUp(error: unknown): Promise<void> {
    this.isEnding = true;
    const isAccepted = (await this.accepted?.catch(() => undefined)) !== undefined;
    const { observations } = this.stores;
    if (this.begun === undefined) return;
    const reason = failureReason(error);
    // Where the database is away, this is left to whoever looks for orphans.
    await (isAccepted
      ? observations.fail(this.id, reason, endedEvent(this.id, this.about, undefined))
      : observations.drop(this.id)
    ).catch(() => {});
  }

  private replyOf(status: number, row: ObservationRow): Reply<Observation> {
    const headers = { location: `/v1/observations/${this.id}` };
    return { status, headers, body: observationOf(row) };
  }

  private answerOf(reply: Reply<Observation>) {
    const ticket = this.ticketOf();
    return ticket && storedAnswer(ticket, reply);
  }
}

interface ReadResult {
  readonly read: ReadText;
  /** Undefined where it has been deleted meanwhile. */
  readonly reply: Reply<Observation> | undefined;
}
