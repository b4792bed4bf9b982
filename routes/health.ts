/** Monitoring of the service itself, outside /v1. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  ExpositionSchema,
  LivenessSchema,
  OpenApiDocumentSchema,
  ReadinessSchema,
} from '../schemas/health.js';
import { problems } from '../schemas/problem.js';
import {
  expositionType,
  OPENMETRICS_TYPE,
  sendExposition,
  TEXT_TYPE,
} from '../src/http/monitor/exposition.js';

export const healthRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/livez',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getLiveness',
        summary: 'Liveness',
        description: 'Reports only that the process responds; restart it if this fails.',
        response: { 200: LivenessSchema, ...problems('bad_request') },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getReadiness',
        summary: 'Readiness',
        description: 'Checks every part; 503 if one fails, or during shutdown.',
        response: { 200: ReadinessSchema, 503: ReadinessSchema, ...problems('bad_request') },
      },
    },
    async (_request, reply) => {
      const report = await app.readiness.report();
      reply.header('cache-control', 'no-store');
      reply.code(report.status === 'ok' ? 200 : 503);
      return { status: report.status, checks: report.checks };
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getMetrics',
        summary: 'Metrics for Prometheus',
        description:
          'Metrics of the service and of the process, as OpenMetrics 1.0.0 if the client prefers that by name, otherwise in the text format 0.0.4. Values of the database, which several instances share, are exported by one of them.',
        response: {
          200: {
            description: 'the metrics',
            content: {
              [TEXT_TYPE]: { schema: ExpositionSchema },
              [OPENMETRICS_TYPE]: { schema: ExpositionSchema },
            },
          },
          ...problems('bad_request'),
        },
      },
    },
    async ({ headers }, reply) =>
      sendExposition(reply, await app.metricFamilies(), expositionType(headers.accept)),
  );

  app.get(
    '/openapi.json',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getOpenApi',
        summary: 'This document',
        description: 'The OpenAPI 3.1 document.',
        response: { 200: OpenApiDocumentSchema, ...problems('bad_request') },
      },
    },
    async () => app.swagger(),
  );

  app.get(
    '/openapi-3.0.json',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getOpenApi30',
        summary: 'This document in OpenAPI 3.0',
        description: 'The same for generators of clients that do not read OpenAPI 3.1.',
        response: { 200: OpenApiDocumentSchema, ...problems('bad_request') },
      },
    },
    async () => app.openApi30(),
  );
};
