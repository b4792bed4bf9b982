/** The first stage: the request gets an id and a log line, and a 503 during shutdown. */
import type { FastifyInstance } from 'fastify';
import { useClosing } from './closing.js';
import { useRequestId } from './request-id.js';
import { useRequestLog } from './request-log.js';

export function identify(app: FastifyInstance): void {
  useRequestId(app);
  useRequestLog(app);
  useClosing(app);
}
