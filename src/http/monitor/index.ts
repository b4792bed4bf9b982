/** For those who watch the service: what it counts, and whether it can serve. */
import type { FastifyInstance } from 'fastify';
import { useMetrics } from './metrics.js';
import { useReadiness } from './readiness.js';

export function monitor(app: FastifyInstance): void {
  useMetrics(app);
  useReadiness(app);
}
