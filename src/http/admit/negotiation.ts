/** Picks the media type of an answer from those a route can send. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProblemError } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media types a route can send, the preferred one first; JSON by default. */
    produces?: readonly [string, ...string[]];
  }
  interface FastifyRequest {
    /** The type in `produces` that the client prefers. */
    answerType: string;
  }
}

const JSON_ONLY = ['application/json'] as const;

export function useNegotiation(app: FastifyInstance): void {
  app.decorateRequest('answerType', '');
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return;
    const produces = request.routeOptions.config.produces;
    if (produces === undefined && !request.url.startsWith('/v1/')) return;
    const offers = produces ?? JSON_ONLY;
    if (offers.length > 1) reply.header('vary', 'accept');
    request.answerType = choose(request, offers);
  });
}

function choose(request: FastifyRequest, offers: readonly [string, ...string[]]): string {
  const accept = request.headers.accept;
  if (accept === undefined || accept === '*/*') return offers[0];
  let best: string | undefined;
  let bestQuality = 0;
  const ranges = accept.slice(0, 2000).split(',').map(parseRange);
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges);
    if (quality > bestQuality) {
      best = offer;
      bestQuality = quality;
    }
  }
  if (best !== undefined) return best;
  throw new ProblemError('not_acceptable', `This resource is available as ${offers.join(', ')}.`);
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = weight === undefined ? 1 : Number(weight.slice(2));
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The most specific matching range decides (RFC 9110, 12.5.1). */
function qualityOf(offer: string, ranges: readonly MediaRange[]): number {
  const family = `${offer.split('/', 1)[0]}/*`;
  for (const wanted of [offer, family, '*/*']) {
    const range = ranges.find(({ type }) => type === wanted);
    if (range !== undefined) return range.quality;
  }
  return 0;
}
