/** Explorations: searches of every interleaving, their counterexamples, and walks through their states. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { PageQuerySchema } from '../schemas/common.js';
import {
  CounterexampleParamsSchema,
  CounterexampleSchema,
  CounterexampleTextSchema,
  StateParamsSchema,
  WalkStateSchema,
} from '../schemas/counterexample.js';
import {
  ExplorationPageSchema,
  ExplorationParamsSchema,
  ExplorationRequestSchema,
  ExplorationSchema,
} from '../schemas/exploration.js';
import { problems } from '../schemas/problem.js';
import { sendPage } from '../src/paging.js';
import { preferredWaitMillis } from '../src/prefer.js';

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain';
const MERMAID_TYPE = 'text/vnd.mermaid';

export const explorationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { explorations } = app.services;

  app.post(
    '/explorations',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'explore',
        summary: 'Search every interleaving of a world',
        description:
          'Answers 202 at once; with `Prefer: wait=N` it waits up to N seconds (60 at most) and answers 200 if the search has ended.',
        body: ExplorationRequestSchema,
        response: {
          200: ExplorationSchema,
          202: ExplorationSchema,
          ...problems(
            'validation',
            'limit_reached',
            'value_out_of_range',
            'rule_violated',
            'perf_errno',
            'conflict',
            'too_many_requests',
          ),
        },
      },
    },
    async ({ body, headers }, reply) => {
      const { id } = explorations.create(body);
      reply.header('location', `/v1/explorations/${id}`);
      const millis = preferredWaitMillis(headers.prefer);
      const exploration = millis > 0 ? await explorations.wait(id, millis) : explorations.get(id);
      reply.code(exploration.finished_at === undefined ? 202 : 200);
      return exploration;
    },
  );

  app.get(
    '/explorations',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'listExplorations',
        summary: 'The explorations',
        description: 'Lists the explorations that are kept, oldest first.',
        querystring: PageQuerySchema,
        response: { 200: ExplorationPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, explorations.list(), request.query, ({ id }) => id),
  );

  app.get(
    '/explorations/:exploration',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'getExploration',
        summary: 'An exploration',
        description: 'How it stands, and what it has found.',
        params: ExplorationParamsSchema,
        response: { 200: ExplorationSchema, ...problems('not_found') },
      },
    },
    async ({ params, headers }) => {
      const millis = preferredWaitMillis(headers.prefer);
      return millis > 0
        ? explorations.wait(params.exploration, millis)
        : explorations.get(params.exploration);
    },
  );

  app.post(
    '/explorations/:exploration/cancel',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'cancelExploration',
        summary: 'Cancel an exploration',
        description: 'Stops the search; one that has ended stays as it is.',
        params: ExplorationParamsSchema,
        response: { 200: ExplorationSchema, ...problems('not_found') },
      },
    },
    async ({ params }) => explorations.cancel(params.exploration),
  );

  app.get(
    '/explorations/:exploration/counterexamples/:counterexample',
    {
      config: { produces: [JSON_TYPE, TEXT_TYPE, MERMAID_TYPE] },
      schema: {
        tags: ['explorations'],
        operationId: 'getCounterexample',
        summary: 'A counterexample',
        description:
          'The shortest way to a violation: as JSON with a script that replays it, as a story, or as a Mermaid sequence diagram.',
        params: CounterexampleParamsSchema,
        response: {
          200: {
            description: 'the counterexample',
            content: {
              [JSON_TYPE]: { schema: CounterexampleSchema },
              [TEXT_TYPE]: { schema: CounterexampleTextSchema },
              [MERMAID_TYPE]: { schema: CounterexampleTextSchema },
            },
          },
          ...problems('not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, answerType }, reply) => {
      const { exploration, counterexample } = params;
      switch (answerType) {
        case TEXT_TYPE:
          return reply
            .type(TEXT_TYPE)
            .send(explorations.counterexampleStory(exploration, counterexample));
        case MERMAID_TYPE:
          return reply
            .type(MERMAID_TYPE)
            .send(explorations.counterexampleDiagram(exploration, counterexample));
        default:
          return reply
            .type(JSON_TYPE)
            .send(explorations.counterexample(exploration, counterexample));
      }
    },
  );

  // A client that joins an empty path may leave out the last slash; both name the initial state.
  app.get(
    '/explorations/:exploration/states',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'getInitialState',
        summary: 'Where the walk begins',
        description: 'The initial state, as the state at the empty path.',
        params: ExplorationParamsSchema,
        response: { 200: WalkStateSchema, ...problems('not_found') },
      },
    },
    async ({ params }) => explorations.state(params.exploration, ''),
  );

  app.get(
    '/explorations/:exploration/states/*',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'getState',
        summary: 'A state on the walk',
        description:
          'The state at a path, the actions possible there, and for the others the guards that are false.',
        params: StateParamsSchema,
        response: { 200: WalkStateSchema, ...problems('not_found') },
      },
    },
    async ({ params }) => explorations.state(params.exploration, params['*']),
  );
};
