/** Picks the format of an answer from those a route can send: by `?format=`, or by Accept. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProblemError } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media types a route can send, the preferred one first; JSON by default. */
    produces?: readonly [string, ...string[]];
    /** By name, for `?format=`, which comes before Accept; the query schema says which names there are. */
    formats?: Readonly<Record<string, string>>;
  }
  interface FastifyRequest {
    /** The type in `produces` or `formats` that the client prefers. */
    answerType: string;
  }
}

const JSON_TYPE = 'application/json';

export function useNegotiation(app: FastifyInstance): void {
  app.decorateRequest('answerType', '');
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return;
    const { produces, formats } = request.routeOptions.config;
    const isNegotiated = produces !== undefined || formats !== undefined;
    if (!isNegotiated && !request.url.startsWith('/v1/')) return;
    const offers = produces ?? Object.values(formats ?? { json: JSON_TYPE });
    if (offers.length > 1) reply.header('vary', 'accept');
    const { format } = request.query as { format?: unknown };
    request.answerType =
      formats !== undefined && format !== undefined
        ? (formats[String(format)] ?? JSON_TYPE)
        : choose(request, offers);
  });
}

function choose(request: FastifyRequest, offers: readonly string[]): string {
  const { accept = '*/*' } = request.headers;
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
