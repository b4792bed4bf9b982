/**
 * How long a request may take to arrive. Node has one limit for all; that of texts, which may be long, is far too long for the
 * rest, so whatever takes no text is timed here.
 */
import type { FastifyInstance } from 'fastify';
import { answerClientError } from '../answer/problems.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** For header and body; not of texts. */
    arrival: { millisMax: number };
  }
}

const ARRIVAL_MILLIS_MAX = 30_000;

export function useArrival(app: FastifyInstance): void {
  app.decorate('arrival', { millisMax: ARRIVAL_MILLIS_MAX });
  app.addHook('onRequest', async ({ raw, routeOptions, headers }, reply) => {
    const hasBody = (headers['content-length'] ?? headers['transfer-encoding']) !== undefined;
    if (!hasBody || routeOptions.config?.takes !== undefined) return;
    const late = setTimeout(() => {
      if (raw.complete || raw.readableEnded) return;
      // Answered already, as a refused request may be while its body still arrives.
      if (reply.raw.headersSent) {
        raw.destroy();
        return;
      }
      const error: NodeJS.ErrnoException = new Error('the request did not arrive in time');
      error.code = 'ERR_HTTP_REQUEST_TIMEOUT';
      answerClientError(error, raw.socket);
    }, app.arrival.millisMax).unref();
    raw.once('close', () => clearTimeout(late));
  });
}
