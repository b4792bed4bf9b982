/** Lets a client test its token. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { problems } from '../schemas/problem.js';
import { WhoAmISchema } from '../schemas/whoami.js';

export const whoamiRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/whoami',
    {
      config: { scope: 'any' },
      schema: {
        tags: ['operations'],
        operationId: 'getWhoAmI',
        summary: 'Identify the caller',
        description:
          'The name and scope of the token. If the service has no tokens, the name is null and everything is allowed.',
        response: { 200: WhoAmISchema, ...problems('validation') },
      },
    },
    async ({ principal }) => {
      if (principal === null) throw new Error('a route under /v1 was reached without a principal');
      const { name, scope, pools } = principal;
      return pools === undefined ? { name, scope } : { name, scope, pools: [...pools] };
    },
  );
};
