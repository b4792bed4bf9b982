/** Monitoring: metrics and readiness. */
import type { FastifyInstance } from 'fastify';
import { useMetrics } from './metrics.js';
import { useReadiness } from './readiness.js';

export function monitor(app: FastifyInstance): void {
  useMetrics(app);
  useReadiness(app);
}
