/**
 * How often a token may ask: `rateLimit` requests in a window of a minute, told in the header
 * fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers). The count is
 * this process's own; two processes behind one address each allow the whole limit.
 *
 * A 304 costs half, because polling is to be cheap and yet the answer was made to be compared. That
 * is known only then: the request is counted when it comes, and half of it given back. So whoever
 * has used up everything is refused that, too.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { type ProblemError, tryLater } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What this request has cost its token; null where nothing is counted. */
    charge: Charge | null;
  }
}

interface Charge {
  /** Gives half of it back, and tells the client what it has left. */
  halve(reply: FastifyReply): Promise<void>;
}

const WINDOW_SECONDS = 60;

/** Requests are counted in halves. */
const REQUEST_COST = 2;
const UNCHANGED_REWARD = 1;

export function useQuota(app: FastifyInstance): void {
  const { rateLimit, tokens } = app.config;
  app.decorateRequest('charge', null);
  if (rateLimit === 0 || tokens.length === 0) return;
  // Bounded by the number of tokens, since only the name of a known one is a key.
  const limiter = new RateLimiterMemory({
    points: rateLimit * REQUEST_COST,
    duration: WINDOW_SECONDS,
  });

  const tell = (reply: FastifyReply, state: RateLimiterRes): void => {
    const remaining = Math.floor(state.remainingPoints / REQUEST_COST);
    reply.headers({
      'ratelimit-policy': `"default";q=${rateLimit};w=${WINDOW_SECONDS}`,
      ratelimit: `"default";r=${remaining};t=${secondsLeft(state)}`,
    });
  };

  app.addHook('onRequest', async (request, reply) => {
    const name = request.principal?.name;
    if (typeof name !== 'string') return;
    const { state, exceeded } = await consume(limiter, name);
    tell(reply, state);
    if (exceeded) throw quotaExceeded(rateLimit, secondsLeft(state));
    const endsAt = Date.now() + state.msBeforeNext;
    request.charge = {
      halve: async (reply) => {
        // A new window owes nothing to the one before.
        if (Date.now() < endsAt) tell(reply, await limiter.reward(name, UNCHANGED_REWARD));
      },
    };
  });
}

/** The library rejects with the state of the count when it is used up. */
async function consume(limiter: RateLimiterMemory, name: string) {
  try {
    return { state: await limiter.consume(name, REQUEST_COST), exceeded: false };
  } catch (state) {
    if (state instanceof RateLimiterRes) return { state, exceeded: true };
    throw state;
  }
}

function secondsLeft({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000));
}

function quotaExceeded(limit: number, seconds: number): ProblemError {
  const detail = `A token may ask ${limit} times a minute; the next window begins in ${seconds} s.`;
  return tryLater('too_many_requests', detail, seconds);
}
