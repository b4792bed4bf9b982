/** Where to begin: what is at the address of the service itself, and its description as YAML. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { NothingSchema } from '../schemas/common.js';
import { OpenApiTextSchema, ServiceIndexSchema } from '../schemas/health.js';
import { problems } from '../schemas/problem.js';

const JSON_TYPE = 'application/json';
const HTML_TYPE = 'text/html';
const YAML_TYPE = 'application/yaml';

const RESOURCES = [
  'cpu-models',
  'kernels',
  'invariants',
  'micro-steps',
  'coverage-goals',
  'scenarios',
  'hosts',
  'explorations',
  'campaigns',
  'observations',
  'explanations',
  'pools',
  'pool-jobs',
  'events',
];

export const rootRoutes: FastifyPluginAsyncTypebox = async (app) => {
  // A worker serves none.
  const resources = app.config.role === 'worker' ? [] : RESOURCES.map((name) => `/v1/${name}`);

  const page = app.config.role === 'worker' ? '/docs' : '/ui/';

  app.get(
    '/',
    {
      config: { produces: [JSON_TYPE, HTML_TYPE] },
      schema: {
        tags: ['operations'],
        operationId: 'getIndex',
        summary: 'Where to begin',
        description: 'What there is, for programs; a browser is sent to the page.',
        response: {
          200: ServiceIndexSchema,
          303: NothingSchema,
          ...problems('not_acceptable'),
        },
      },
    },
    async (request, reply) => {
      if (request.answerType === HTML_TYPE) return reply.redirect(page, 303);
      const { version } = app.swagger().info;
      return { name: 'pebslab', version, docs: '/docs', openapi: '/openapi.json', resources };
    },
  );

  app.get(
    '/openapi.yaml',
    {
      config: { produces: [YAML_TYPE] },
      schema: {
        tags: ['operations'],
        operationId: 'getOpenApiYaml',
        summary: 'This document as YAML',
        description: 'The same document as `/openapi.json`.',
        response: {
          200: {
            description: 'the document',
            content: { [YAML_TYPE]: { schema: OpenApiTextSchema } },
          },
          ...problems('not_acceptable'),
        },
      },
    },
    async (_request, reply) => reply.type(YAML_TYPE).send(app.swagger({ yaml: true })),
  );
};
