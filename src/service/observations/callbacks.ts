/**
 * Callbacks of labs: a body is stored as an observation, and answered within a second. What is sent twice is stored once:
 * it is known by the sender's job, or by the body where that names none.
 */
import { createHash } from 'node:crypto';
import type { Observation } from '../../../schemas/observation.js';
import {
  type Callback,
  type CallbackFormat,
  callbackOf,
} from '../../observations/documents/callback.js';
import { BadDocument } from '../../observations/documents/document.js';
import {
  type Answer,
  type Idempotency,
  isTicket,
  type Reply,
  type Ticket,
} from '../idempotency.js';
import type { ResultToken } from '../pools/observed.js';
import { ProblemError } from '../problem-error.js';
import type { Observations } from './observations.js';
import { ReadingThread, unreadable } from './reading-thread.js';
import type { TextBody } from './receiving.js';
import { textOf } from './text-source.js';
import type { About } from './views.js';

const BODY_BYTES_MAX = 16 * 2 ** 20;
/** Shorter bodies are looked at where they come; parsing longer ones would hold the event loop. */
const QUICK_BYTES_MAX = 256 * 1024;
/** After the end of the body, so that the sender hears of what is wrong in it if that is found soon. */
const PATIENCE_MILLIS = 600;

/** What the address of a callback says. */
export interface Addressed {
  readonly format: CallbackFormat;
  /** The sender's job, where the body does not name it. */
  readonly job?: string | undefined;
  readonly machine?: string | undefined;
  readonly pool?: string | undefined;
  readonly lease?: string | undefined;
  /** With it the callback is what the holder of the lease reports. */
  readonly token?: number | undefined;
}

/** A reply, or what was answered when it was sent before. */
export type Taken = { readonly reply: Reply<Observation> } | { readonly before: Answer };

export class Callbacks {
  /** Of its own: those that read texts may all be busy, and senders do not wait. */
  private readonly thread = new ReadingThread();

  constructor(
    private readonly observations: Observations,
    private readonly idempotency: Idempotency,
  ) {}

  async take(
    { format, job, machine, pool, lease, token }: Addressed,
    body: TextBody,
    sender: string,
  ): Promise<Taken> {
    const bytes = await wholeBody(body);
    const callback = await this.callbackOf(format, bytes);
    const known = job ?? callback.job ?? createHash('sha256').update(bytes).digest('base64url');
    // No name of a token has a slash, so that no key of a client's is meant.
    const attempt = lease === undefined ? '' : `${lease} ${token ?? ''} `;
    const key = `${format} ${attempt}${known}`;
    const claim = await this.idempotency.claim(`callbacks/${sender}`, key, '');
    if (!isTicket(claim)) return { before: claim };
    try {
      const of = machine ?? nameIn(callback.machine);
      const about: About = { format, machine: of, pool, lease, facts: {} };
      const resultToken = isLast(format, callback) ? token : 'later';
      return { reply: await this.store(about, bytes, claim, resultToken) };
    } finally {
      await this.idempotency.release(claim);
    }
  }

  close(): Promise<void> {
    return this.thread.close();
  }

  private store(
    about: About,
    bytes: Buffer,
    ticket: Ticket,
    resultToken: ResultToken,
  ): Promise<Reply<Observation>> {
    const body: TextBody = {
      isEncoded: false,
      bytes: bytes.length,
      async *chunks() {
        yield bytes;
      },
    };
    const terms = { patienceMillis: PATIENCE_MILLIS, doneStatus: 202, resultToken };
    return this.observations.create(about, body, () => ticket, terms);
  }

  private async callbackOf(format: CallbackFormat, bytes: Buffer): Promise<Callback> {
    if (bytes.length > QUICK_BYTES_MAX) return this.thread.callback(format, bytes);
    try {
      return callbackOf(format, bytes.toString('utf8'));
    } catch (error) {
      throw error instanceof BadDocument ? unreadable(error.message, error.pointer) : error;
    }
  }
}

/** LAVA may tell of the states before the end, too. */
function isLast(format: CallbackFormat, { job }: Callback): boolean {
  return format !== 'lava-callback' || /(complete|canceled|finished)$/i.test(job ?? '');
}

async function wholeBody(body: TextBody): Promise<Buffer> {
  if (body.bytes > BODY_BYTES_MAX) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of await textOf(body.chunks(), body.isEncoded)) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): ProblemError {
  return new ProblemError(
    'body_too_large',
    `A callback may have ${BODY_BYTES_MAX} bytes (16 MiB). Send the log by itself to /v1/observations.`,
  );
}

/** As far as it can be a name here. */
function nameIn(machine: string | null): string | undefined {
  return machine !== null && /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/.test(machine)
    ? machine
    : undefined;
}
