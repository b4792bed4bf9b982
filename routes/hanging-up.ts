/** Requests that need not be answered any more. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ProblemError, tryLater } from '../src/service/problem-error.js';

/** Aborted, with the problem to answer, when the client hangs up or the service stops. */
export function endOf({ closing }: FastifyInstance, { raw }: FastifyReply): AbortSignal {
  const end = new AbortController();
  const stop = (): void => end.abort(tryLater('unavailable', 'The service is stopping.', 1));
  closing.addEventListener('abort', stop, { once: true });
  raw.once('close', () => {
    closing.removeEventListener('abort', stop);
    end.abort(new ProblemError('bad_request', 'The client has hung up.'));
  });
  return end.signal;
}
