/** While the service stops, what still arrives on open connections is told to come back, as any other refusal is told. */
import type { FastifyInstance } from 'fastify';
import { ProblemError } from '../errors.js';

/** For Fastify: its own answer would be no problem body, and say nothing of when to come back. */
export const CLOSING_OPTIONS = { return503OnClosing: false } as const;

/** The routes that watch the service are answered to the end. */
const API = /^\/v1\//;

export function useClosing(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onRequest', async ({ url }) => {
    if (!closing || !API.test(url)) return;
    throw new ProblemError(
      'unavailable',
      'The service is stopping, and nothing was changed by this request.',
      [],
      {},
      { 'retry-after': '1' },
    );
  });
}
