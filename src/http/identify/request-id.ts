/** Request ids are always our own: ids sent by clients could forge log lines. */
import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** A random prefix per app and a counter: unique across restarts, ordered within one run. */
export function requestIdGenerator(): () => string {
  const prefix = randomBytes(5).toString('hex');
  let last = 0;
  return () => {
    last += 1;
    return `req_${prefix}${last.toString(36).padStart(6, '0')}`;
  };
}

export function useRequestId(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
}
