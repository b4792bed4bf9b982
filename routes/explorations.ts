/** Explorations: searches of every interleaving, their counterexamples, and walks through their states. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import {
  CounterexamplePageSchema,
  CounterexampleParamsSchema,
  CounterexampleQuerySchema,
  CounterexampleSchema,
  CounterexampleTextSchema,
  StateParamsSchema,
  WalkStateSchema,
} from '../schemas/counterexample.js';
import {
  ExplorationPageSchema,
  ExplorationParamsSchema,
  ExplorationQuerySchema,
  ExplorationSchema,
} from '../schemas/exploration.js';
import { ExplorationRequestSchema } from '../schemas/exploration-request.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { sendPage } from '../src/http/answer/paging.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import {
  counterexample,
  counterexampleDiagram,
  counterexampleStory,
  counterexamples,
  stateAt,
} from '../src/service/explorations/findings.js';
import { sendStarted, sendWorks } from './long-work.js';

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain';
const MERMAID_TYPE = 'text/vnd.mermaid';

export const explorationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { explorations } = app.services;

  app.post(
    '/explorations',
    {
      config: { idempotent: true, waits: true },
      schema: {
        tags: ['explorations'],
        operationId: 'explore',
        summary: 'Search every interleaving of a world',
        description:
          'Answers 202 at once; with `Prefer: wait=N` it waits up to N seconds (at most 60) and answers 200 if the search has ended.',
        body: ExplorationRequestSchema,
        response: {
          200: ExplorationSchema,
          202: ExplorationSchema,
          ...changeProblems(
            'limit_reached',
            'value_out_of_range',
            'rule_violated',
            'unknown_name',
            'perf_errno',
            'conflict',
          ),
        },
      },
    },
    async (request, reply) => {
      const owner = request.principal?.name ?? null;
      const created = await explorations.create(request.body, owner, request.ticket ?? undefined);
      return sendStarted(request, reply, explorations, created);
    },
  );

  app.get(
    '/explorations',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'listExplorations',
        summary: 'List explorations',
        description:
          'Lists the stored explorations, newest first; a page has at most 100, even if `limit` is higher. While pages are read, new ones do not move the others.',
        querystring: ExplorationQuerySchema,
        response: { 200: ExplorationPageSchema, ...readProblems('validation', 'unknown_name') },
      },
    },
    async ({ query }, reply) => sendWorks(reply, query, explorations),
  );

  app.get(
    '/explorations/:exploration',
    {
      config: { waits: true },
      schema: {
        tags: ['explorations'],
        operationId: 'getExploration',
        summary: 'Get an exploration',
        description: 'Its state, progress and findings.',
        params: ExplorationParamsSchema,
        response: { 200: ExplorationSchema, ...readProblems('not_found') },
      },
    },
    async ({ params, headers }) =>
      explorations.wait(params.exploration, preferredWaitMillis(headers.prefer)),
  );

  app.delete(
    '/explorations/:exploration',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'deleteExploration',
        summary: 'Delete an exploration',
        description: 'Cancels it if it is under way, and deletes it with all that it found.',
        params: ExplorationParamsSchema,
        response: { 204: NothingSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }, reply) => {
      await explorations.delete(params.exploration);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/explorations/:exploration/cancel',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'cancelExploration',
        summary: 'Cancel an exploration',
        description: 'Stops the search; an exploration that has ended is unchanged.',
        params: ExplorationParamsSchema,
        response: { 200: ExplorationSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => explorations.cancel(params.exploration),
  );

  app.post(
    '/explorations/:exploration/pause',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'pauseExploration',
        summary: 'Pause an exploration',
        description:
          'Stops the search and keeps what it has found; an exploration that is paused or has ended is unchanged. A breadth-first search that has run for more than a moment keeps its whole levels in files of the instance that ran it, at most 8 searches at once and within `CHECKPOINT_MEGABYTES`; any other begins again.',
        params: ExplorationParamsSchema,
        response: { 200: ExplorationSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => explorations.pause(params.exploration),
  );

  app.post(
    '/explorations/:exploration/resume',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'resumeExploration',
        summary: 'Resume an exploration',
        description:
          'Queues a paused search again: a breadth-first search goes on from its last whole level and finds what it would have found undisturbed. An exploration that is not paused is unchanged.',
        params: ExplorationParamsSchema,
        response: { 200: ExplorationSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => explorations.resume(params.exploration),
  );

  app.get(
    '/explorations/:exploration/counterexamples',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'listCounterexamples',
        summary: 'List counterexamples',
        description: 'Lists the shortest violations found, property by property.',
        params: ExplorationParamsSchema,
        querystring: PageQuerySchema,
        response: {
          200: CounterexamplePageSchema,
          ...readProblems('validation', 'not_found'),
        },
      },
    },
    async ({ params, query }, reply) => {
      const items = counterexamples(await explorations.row(params.exploration));
      return sendPage(reply, items, query, ({ id }) => id);
    },
  );

  app.get(
    '/explorations/:exploration/counterexamples/:counterexample',
    {
      config: { produces: [JSON_TYPE, TEXT_TYPE, MERMAID_TYPE] },
      schema: {
        tags: ['explorations'],
        operationId: 'getCounterexample',
        summary: 'Get a counterexample',
        description:
          'The shortest path to a violation: as JSON with a script that replays it, as text that begins with what is wrong and why, or as a Mermaid sequence diagram.',
        params: CounterexampleParamsSchema,
        querystring: CounterexampleQuerySchema,
        response: {
          200: {
            description: 'the counterexample',
            content: {
              [JSON_TYPE]: { schema: CounterexampleSchema },
              [TEXT_TYPE]: { schema: CounterexampleTextSchema },
              [MERMAID_TYPE]: { schema: CounterexampleTextSchema },
            },
          },
          ...readProblems('validation', 'not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, query, answerType }, reply) => {
      const all = query.steps === 'all';
      const row = await explorations.row(params.exploration);
      reply.type(answerType);
      switch (answerType) {
        case TEXT_TYPE:
          return reply.send(counterexampleStory(row, params.counterexample, all));
        case MERMAID_TYPE:
          return reply.send(counterexampleDiagram(row, params.counterexample, all));
        default:
          return reply.send(counterexample(row, params.counterexample));
      }
    },
  );

  // A client that appends an empty path may omit the trailing slash; both forms name the initial state.
  app.get(
    '/explorations/:exploration/states',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'getInitialState',
        summary: 'Get the initial state',
        description: 'The initial state, which is the state at the empty path.',
        params: ExplorationParamsSchema,
        response: { 200: WalkStateSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => stateAt(await explorations.row(params.exploration), ''),
  );

  app.get(
    '/explorations/:exploration/states/*',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'getState',
        summary: 'Get a state on a walk',
        description:
          'The state at a path, the enabled actions, and for the others the guards that are false.',
        params: StateParamsSchema,
        response: { 200: WalkStateSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => stateAt(await explorations.row(params.exploration), params['*']),
  );
};
