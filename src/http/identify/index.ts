/** The first stage: the request has an id and a line in the log, and is sent away where the service stops. */
import type { FastifyInstance } from 'fastify';
import { useClosing } from './closing.js';
import { useRequestId } from './request-id.js';
import { useRequestLog } from './request-log.js';

export function identify(app: FastifyInstance): void {
  useRequestId(app);
  useRequestLog(app);
  useClosing(app);
}
