/**
 * The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): a request repeated with its key gets
 * the answer of the first. The answer is stored in the same transaction as the change it reports, so neither is lost alone.
 */
import { createHash } from 'node:crypto';
import { isProblemCode } from '../../schemas/problem-codes.js';
import type { Claim, IdempotencyStore, KeyOf, StoredAnswer } from '../store/idempotency-store.js';
import { ProblemError, type ProblemExtra, type ProblemItem, tryLater } from './problem-error.js';

/** A body with its status and headers. */
export interface Reply<Body> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** A stored answer: a reply, or a problem. */
export type Answer = Reply<unknown> | ProblemAnswer;

interface ProblemAnswer {
  readonly problem: string;
  readonly detail: string;
  readonly errors: readonly ProblemItem[];
  readonly extra: ProblemExtra;
}

/** The right to answer a request under its key, once. */
export type Ticket = Omit<StoredAnswer, 'answer'>;

/** A key of a request that has not been read to its end, so that nobody knows yet whether it is the same as before. */
export interface OpenKey extends KeyOf {
  /** Whether an earlier request has been answered under it. */
  readonly isAnswered: boolean;
  /** The right to answer, or that answer. Throws if it was another request that was answered. */
  seal(request: string): Ticket | Answer;
}

export class Idempotency {
  /** The keys in progress on this instance. The locks cannot tell: a session may take its own lock again. */
  private readonly inFlight = new Set<string>();

  constructor(private readonly store: IdempotencyStore) {}

  /** Claims a key for a request, or returns the stored answer. Throws if the key cannot be used. */
  async claim(principal: string, key: string, request: string): Promise<Ticket | Answer> {
    return (await this.open(principal, key)).seal(request);
  }

  /** Claims a key for a request that is still to be read. Throws if another request is being answered under it. */
  async open(principal: string, key: string): Promise<OpenKey> {
    const name = nameOf(principal, key);
    if (this.inFlight.has(name)) {
      return answeredKey(await this.store.find({ principal, key }), principal, key);
    }
    this.inFlight.add(name);
    let claimed = false;
    try {
      const claim = await this.store.claim({ principal, key });
      if (claim.state === 'claimed') {
        claimed = true;
        const seal = (request: string) => ({ principal, key, fingerprint: fingerprintOf(request) });
        return { principal, key, isAnswered: false, seal };
      }
      if (claim.state === 'answered' && claim.claimed) await this.store.release({ principal, key });
      return answeredKey(claim, principal, key);
    } finally {
      if (!claimed) this.inFlight.delete(name);
    }
  }

  /** Releases a key after its request has been answered. */
  async release({ principal, key }: KeyOf): Promise<void> {
    await this.store.release({ principal, key });
    this.inFlight.delete(nameOf(principal, key));
  }
}

/** The answer, to be written together with the change. */
export function storedAnswer(ticket: Ticket, answer: Answer): StoredAnswer {
  return { ...ticket, answer: JSON.stringify(answer) };
}

export function problemAnswer({ code, message, errors, extra }: ProblemError): Answer {
  return { problem: code, detail: message, errors, extra };
}

export function isTicket(claim: Ticket | Answer): claim is Ticket {
  return 'fingerprint' in claim;
}

/** The stored problem. */
export function problemOfAnswer(answer: ProblemAnswer): ProblemError {
  const code = isProblemCode(answer.problem) ? answer.problem : 'internal';
  return new ProblemError(code, answer.detail, answer.errors, answer.extra);
}

/** A key that this request could not claim. */
function answeredKey(claim: Claim, principal: string, key: string): OpenKey {
  if (claim.state !== 'answered') {
    const detail = `A request with the Idempotency-Key ${JSON.stringify(key.slice(0, 60))} is in progress.`;
    throw tryLater('idempotency_key_in_flight', detail, 1);
  }
  const { fingerprint, answer } = claim;
  const seal = (request: string): Answer => {
    if (fingerprint === fingerprintOf(request)) return JSON.parse(answer) as Answer;
    const detail = 'was used for a different request; use a new key for a new request';
    throw new ProblemError('idempotency_key_reused', `Idempotency-Key ${detail}.`, [
      { pointer: '/idempotency-key', detail, in: 'header' },
    ]);
  };
  return { principal, key, isAnswered: true, seal };
}

function fingerprintOf(request: string): string {
  return createHash('sha256').update(request).digest('base64url');
}

function nameOf(principal: string, key: string): string {
  return `${principal}\u0001${key}`;
}
