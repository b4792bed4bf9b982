/** Monitoring of the service itself, outside /v1. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  ExpositionSchema,
  LivenessSchema,
  OpenApiDocumentSchema,
  ReadinessSchema,
} from '../schemas/health.js';
import { problems } from '../schemas/problem.js';
import { asOpenApi30 } from '../src/http/openapi/openapi-3.0.js';

const PROMETHEUS = 'text/plain';
const OPENMETRICS = 'application/openmetrics-text';

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
      config: { produces: [PROMETHEUS, OPENMETRICS] },
      schema: {
        tags: ['operations'],
        operationId: 'getMetrics',
        summary: 'Metrics for Prometheus',
        description:
          'Metrics of the service and of the process, as OpenMetrics if the client accepts that.',
        response: {
          200: {
            description: 'the metrics',
            content: {
              [PROMETHEUS]: { schema: ExpositionSchema },
              [OPENMETRICS]: { schema: ExpositionSchema },
            },
          },
          ...problems('not_acceptable'),
        },
      },
    },
    async (request, reply) => {
      const { contentType, text } = await app.metrics.expose(request.answerType === OPENMETRICS);
      return reply.type(contentType).send(text);
    },
  );

  app.get(
    '/openapi.json',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getOpenApi',
        summary: 'This document',
        description: 'The OpenAPI 3.1 document that the running service generates.',
        response: { 200: OpenApiDocumentSchema, ...problems('bad_request') },
      },
    },
    async () => app.swagger(),
  );

  let asOf30: object | undefined;
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
    async () => {
      asOf30 ??= asOpenApi30(app.swagger());
      return asOf30;
    },
  );
};
