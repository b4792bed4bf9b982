/** While the service stops, what still arrives on open connections is told to come back, as any other refusal is told. */
import { setMaxListeners } from 'node:events';
import type { FastifyInstance } from 'fastify';
import { tryLater } from '../../service/problem-error.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Given when the service begins to stop. */
    closing: AbortSignal;
  }
}

/** For Fastify: its own answer would be no problem body, and say nothing of when to come back. */
export const CLOSING_OPTIONS = { return503OnClosing: false } as const;

/** The routes that watch the service are answered to the end. */
const API = /^\/v1\//;

export function useClosing(app: FastifyInstance): void {
  const closing = new AbortController();
  // Every request that waits for the end of some work listens.
  setMaxListeners(0, closing.signal);
  app.decorate('closing', closing.signal);
  app.addHook('preClose', async () => closing.abort());
  app.addHook('onRequest', async ({ url }) => {
    if (!closing.signal.aborted || !API.test(url)) return;
    throw tryLater(
      'unavailable',
      'The service is stopping, and nothing was changed by this request.',
      1,
    );
  });
}
