/** Lets a client try its token before it has work to do. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { problems } from '../schemas/problem.js';
import { WhoAmISchema } from '../schemas/whoami.js';

export const whoamiRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/whoami',
    {
      schema: {
        tags: ['operations'],
        operationId: 'getWhoAmI',
        summary: 'Who the service takes the client for',
        description:
          'The name and scope of the token that was sent. Where the service asks for no tokens, the name is null and everything is allowed.',
        response: { 200: WhoAmISchema, ...problems('validation') },
      },
    },
    async ({ principal }) => {
      if (principal === null) throw new Error('a route under /v1 was reached without a principal');
      return principal;
    },
  );
};
