/** Scripts that collect on a real machine what can be sent as an observation. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { CollectorParamsSchema, CollectorTextSchema } from '../schemas/collector.js';
import { problems } from '../schemas/problem.js';
import { COLLECTORS } from '../src/service/collectors.js';

const SCRIPT_TYPE = 'text/x-shellscript';

export const collectorRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/collectors/:collector',
    {
      config: { produces: [SCRIPT_TYPE] },
      schema: {
        tags: ['catalogue'],
        operationId: 'getCollector',
        summary: 'A script that collects on a real machine',
        description:
          'A POSIX shell script that sends what it finds to `PEBSLAB_URL` with `PEBSLAB_TOKEN`, or prints it; its first lines say what it needs. It undoes what it changes.',
        params: CollectorParamsSchema,
        response: {
          200: {
            description: 'the script',
            content: { [SCRIPT_TYPE]: { schema: CollectorTextSchema } },
          },
          ...problems('not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params }, reply) =>
      reply.type(`${SCRIPT_TYPE}; charset=utf-8`).send(COLLECTORS[params.collector]),
  );
};
