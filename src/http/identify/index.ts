/** The first stage: the request gets an id and a log line, time to arrive, and a 503 during shutdown. */
import type { FastifyInstance } from 'fastify';
import { useArrival } from './arrival.js';
import { useClosing } from './closing.js';
import { useRequestId } from './request-id.js';
import { useRequestLog } from './request-log.js';

export function identify(app: FastifyInstance): void {
  useRequestId(app);
  useRequestLog(app);
  useArrival(app);
  useClosing(app);
}
