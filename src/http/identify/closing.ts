/** During shutdown, late requests on open connections get a 503 problem with Retry-After. */
import { setMaxListeners } from 'node:events';
import type { FastifyInstance } from 'fastify';
import { tryLater } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborted when the service begins to stop. */
    closing: AbortSignal;
  }
}

/** For Fastify: its own answer would have no problem body and no Retry-After. */
export const CLOSING_OPTIONS = { return503OnClosing: false } as const;

/** The health routes are answered until the end. */
const API = /^\/v1\//;

export function useClosing(app: FastifyInstance): void {
  const closing = new AbortController();
  // Every request that waits for work to end listens.
  setMaxListeners(0, closing.signal);
  app.decorate('closing', closing.signal);
  app.addHook('preClose', async () => closing.abort());
  app.addHook('onRequest', async ({ url }) => {
    if (!closing.signal.aborted || !API.test(url)) return;
    throw tryLater('unavailable', 'The service is stopping; this request changed nothing.', 1);
  });
}
