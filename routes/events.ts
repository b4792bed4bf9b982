/** Live events: as pages, and as a stream of server-sent events. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { EventPageSchema, EventQuerySchema, EventStreamSchema } from '../schemas/event.js';
import { readProblems } from '../schemas/problem.js';
import { linkNext } from '../src/http/answer/paging.js';

const JSON_TYPE = 'application/json';
const SSE_TYPE = 'text/event-stream';

export const eventRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { events } = app.services;

  app.get(
    '/events',
    {
      sse: 'manual',
      config: { produces: [JSON_TYPE, SSE_TYPE] },
      schema: {
        tags: ['events'],
        operationId: 'getEvents',
        summary: 'Events, as pages or as a stream',
        description:
          'Events after a cursor, or from the oldest stored one, oldest first; all, or those of a `subject` and of a `type`. With `Accept: text/event-stream` they are sent live, after `after` or `Last-Event-ID`, or from now on. Limits: 20 open streams per token, 200 in total.',
        querystring: EventQuerySchema,
        response: {
          200: {
            description: 'the events',
            content: {
              [JSON_TYPE]: { schema: EventPageSchema },
              [SSE_TYPE]: { schema: EventStreamSchema },
            },
          },
          ...readProblems('validation', 'cursor_expired', 'not_acceptable', 'too_many_requests'),
        },
      },
    },
    async (request, reply) => {
      const { after, limit, ...filter } = request.query;
      if (request.answerType === JSON_TYPE) {
        const page = await events.page(after, limit, filter);
        if (page.has_more) linkNext(reply, { after: page.next_cursor });
        return reply.type(JSON_TYPE).send(page);
      }
      const last = request.headers['last-event-id'];
      const start = typeof last === 'string' ? events.resume(last) : await events.start(after);
      await app.streams.send(reply, (signal) => events.follow(start, signal, filter));
    },
  );
};
