/** The `Idempotency-Key` and `If-Match` headers of requests that create or step something. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ChangeTerms } from '../../service/hosts/hosts.js';
import {
  type Answer,
  isTicket,
  type OpenKey,
  problemOfAnswer,
  type Reply,
  type Ticket,
} from '../../service/idempotency.js';
import { ProblemError } from '../../service/problem-error.js';
import { withoutLayout } from '../answer/layout.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route creates or steps something and accepts an `Idempotency-Key`. */
    idempotent?: boolean;
  }
  interface FastifyRequest {
    /** The right to answer under the client's key; null without a key. */
    ticket: Ticket | null;
    /** The key of a request whose body the handler reads; null without a key. */
    openKey: OpenKey | null;
  }
}

/** The draft allows any length; random keys need no more. */
const KEY_LENGTH_MAX = 255;

export function useIdempotency(app: FastifyInstance): void {
  app.decorateRequest('ticket', null);
  app.decorateRequest('openKey', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.idempotent !== true) return;
    route.preHandler = route.config.takes === undefined ? replayOrClaim : openKey;
    // After the handler, whatever its outcome. A stored answer is found while the key is still held; without one, a
    // client that retries at once must find its key free.
    route.onSend = async (request: FastifyRequest, reply: FastifyReply) => {
      const held = request.ticket ?? request.openKey;
      // What was answered before was not claimed.
      if (held === null || ('isAnswered' in held && held.isAnswered)) return;
      const released = app.services.idempotency.release(held);
      if (reply.statusCode >= 400) await released;
    };
  });
}

async function replayOrClaim(
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const key = keyOf(request);
  if (key === undefined) return undefined;
  const asked = addressed(request, JSON.stringify(request.body, sortFields));
  const claim = await request.server.services.idempotency.claim(
    request.principal?.name ?? '',
    key,
    asked,
  );
  if (!isTicket(claim)) return replay(reply, claim);
  request.ticket = claim;
  return undefined;
}

async function openKey(request: FastifyRequest): Promise<void> {
  const key = keyOf(request);
  if (key === undefined) return;
  const { idempotency } = request.server.services;
  request.openKey = await idempotency.open(request.principal?.name ?? '', key);
}

/** What a key stands for. */
export function addressed({ method, url }: FastifyRequest, body: string): string {
  return `${method} ${withoutLayout(url)}\n${body}`;
}

export function replay(reply: FastifyReply, answer: Answer): FastifyReply {
  reply.header('idempotent-replayed', 'true');
  if ('problem' in answer) throw problemOfAnswer(answer);
  return reply.code(answer.status).headers(answer.headers).send(answer.body);
}

/** Objects are unordered, and some clients write their fields in a different order each time. */
function sortFields(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const fields = Object.entries(value);
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A structured string (`"…"`, as the draft has it) or the bare key; undefined without a key. */
function keyOf({ headers }: FastifyRequest): string | undefined {
  const field = headers['idempotency-key'];
  if (field === undefined) return undefined;
  const header = Array.isArray(field) ? field.join(',') : field;
  const quoted = /^\s*"([^"\\]*)"\s*$/.exec(header);
  const key = quoted?.[1] ?? header.trim();
  if (/^[\x21-\x7e]+$/.test(key) && key.length <= KEY_LENGTH_MAX) return key;
  const detail = `must be 1 to ${KEY_LENGTH_MAX} visible ASCII characters, quoted or not`;
  throw new ProblemError('validation', `In the header, Idempotency-Key ${detail}.`, [
    { pointer: '/idempotency-key', detail, in: 'header' },
  ]);
}

/** The conditions of a request: the versions it allows, and its key. */
export function termsOf(request: FastifyRequest): ChangeTerms {
  return { versions: versionsAsked(request), ticket: request.ticket ?? undefined };
}

/** The versions in `If-Match`. Unknown and weak tags match nothing. */
export function versionsAsked({ headers }: FastifyRequest): number[] | undefined {
  const tags = headers['if-match']?.trim();
  if (tags === undefined || tags === '*') return undefined;
  return tags.split(',').flatMap((tag) => {
    const version = /^"([0-9]{1,15})(?:-indented)?"$/.exec(tag.trim())?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}

/** Puts status and headers on the answer; returns its body for the handler to return. */
export function sendReply<Body>(reply: FastifyReply, { status, headers, body }: Reply<Body>): Body {
  reply.code(status).headers(headers);
  return body;
}
