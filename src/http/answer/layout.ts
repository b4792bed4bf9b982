/**
 * How JSON is laid out: it ends with a newline, and is indented for people, who say `?pretty` or use a terminal client that
 * takes anything. A program that asks for JSON gets it as compact as it is made.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProblemError } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether the answer is for people. */
    isIndented: boolean;
  }
}

const PARAMETER = 'pretty';
/** What each value of the parameter means; none is the same as `true`. */
const MEANINGS: Readonly<Record<string, boolean>> = { '': true, true: true, false: false };

/** Nobody reads more, and indenting takes the event loop. */
const INDENTED_CHARACTERS_MAX = 1024 * 1024;

export function useLayout(app: FastifyInstance): void {
  app.decorateRequest('isIndented', false);
  app.addHook('onRequest', async (request) => {
    request.isIndented = isForPeople(request);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || !isJson(reply.getHeader('content-type'))) return payload;
    if (request.method === 'GET' || request.method === 'HEAD') {
      reply.header('vary', 'accept, user-agent');
    }
    const isIndented = request.isIndented && payload.length <= INDENTED_CHARACTERS_MAX;
    return `${isIndented ? JSON.stringify(JSON.parse(payload), null, 2) : payload}\n`;
  });
}

/** The parameter is taken out of the query, since every route has it. */
function isForPeople(request: FastifyRequest): boolean {
  const query = request.query as Record<string, unknown>;
  if (!Object.hasOwn(query, PARAMETER)) return isTerminal(request);
  const value = query[PARAMETER];
  delete query[PARAMETER];
  const meaning = typeof value === 'string' && Object.hasOwn(MEANINGS, value);
  if (meaning) return MEANINGS[value] === true;
  const detail = 'is true or false, once, or has no value';
  throw new ProblemError('validation', `In the query, /${PARAMETER} ${detail}.`, [
    { pointer: `/${PARAMETER}`, detail, in: 'query' },
  ]);
}

/** Clients that people use by hand say that anything will do, unless they were told what to ask for. */
function isTerminal({ headers }: FastifyRequest): boolean {
  return headers.accept === '*/*' && /^(curl|HTTPie|Wget)\//.test(headers['user-agent'] ?? '');
}

function isJson(type: unknown): boolean {
  return typeof type === 'string' && /^application\/(problem\+)?json\b/.test(type);
}

/** The same request for people and for programs has one address. */
export function withoutLayout(url: string): string {
  const at = url.indexOf('?');
  if (at === -1 || !url.includes(PARAMETER, at)) return url;
  const isOther = (part: string): boolean => part.split('=', 1)[0] !== PARAMETER;
  const others = url
    .slice(at + 1)
    .split('&')
    .filter(isOther);
  return others.length === 0 ? url.slice(0, at) : `${url.slice(0, at)}?${others.join('&')}`;
}
