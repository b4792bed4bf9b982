/**
 * The rate limit of a token: `rateLimit` requests in a window of a minute, reported in the header
 * fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers). Each process
 * counts on its own; two processes behind one address each allow the whole limit.
 *
 * A 304 costs half: polling should be cheap, but the answer had to be built to compare it. The status
 * is known only at the end, so a request is counted in full on arrival and half is refunded. A token
 * with nothing left is refused even then.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { type ProblemError, tryLater } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What this request has cost its token; null if nothing is counted. */
    charge: Charge | null;
  }
}

interface Charge {
  /** Refunds half a request, and updates the header fields. */
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
  // Bounded by the number of tokens, since the keys are names of known ones.
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
        // A new window starts from zero.
        if (Date.now() < endsAt) tell(reply, await limiter.reward(name, UNCHANGED_REWARD));
      },
    };
  });
}

/** When the limit is exceeded, the library rejects with the state of the counter. */
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
  const detail = `A token is limited to ${limit} requests per minute; the next window begins in ${seconds} s.`;
  return tryLater('too_many_requests', detail, seconds);
}
