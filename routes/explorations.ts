/** Explorations: searches of every interleaving, their counterexamples, and walks through their states. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import {
  CounterexamplePageSchema,
  CounterexampleParamsSchema,
  CounterexampleSchema,
  StateParamsSchema,
  WalkStateSchema,
} from '../schemas/counterexample.js';
import {
  ExplorationPageSchema,
  ExplorationParamsSchema,
  ExplorationQuerySchema,
  ExplorationSchema,
} from '../schemas/exploration.js';
import {
  ExplorationMapSchema,
  GraphQuerySchema,
  MapQuerySchema,
  type StateQuery,
  StateQuerySchema,
} from '../schemas/exploration-graph.js';
import { ExplorationRequestSchema } from '../schemas/exploration-request.js';
import { ExportQuerySchema } from '../schemas/export.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { sendPage } from '../src/http/answer/paging.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import {
  counterexample,
  counterexampleFile,
  counterexamples,
  stateFile,
} from '../src/service/explorations/findings.js';
import { stateAt } from '../src/service/explorations/walks.js';
import { GRAPH_TYPES } from '../src/service/exports.js';
import {
  answerOf,
  formatAsked,
  formats,
  graphAsked,
  graphFormats,
  sendFile,
  wantsAll,
} from './exports.js';
import { sendStarted, sendWorks } from './long-work.js';

export const explorationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { explorations, graphs } = app.services;

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
      config: { waits: true, formats: graphFormats },
      schema: {
        tags: ['explorations'],
        operationId: 'getExploration',
        summary: 'Get an exploration',
        description:
          'Its state, progress and findings; in other formats than JSON its graph, once it has ended.',
        params: ExplorationParamsSchema,
        querystring: GraphQuerySchema,
        response: {
          200: answerOf(ExplorationSchema, 'the exploration, or its graph', GRAPH_TYPES),
          ...readProblems(
            'validation',
            'not_found',
            'not_acceptable',
            'conflict',
            'limit_reached',
            'too_many_requests',
          ),
        },
      },
    },
    async ({ params, query, headers }, reply) => {
      const found = await explorations.wait(
        params.exploration,
        preferredWaitMillis(headers.prefer),
      );
      const format = graphAsked(reply);
      if (format === null) return found;
      const row = await explorations.row(params.exploration);
      return sendFile(reply, await graphs.file(row, format, query.property, query.cpu ?? 0));
    },
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
      config: { formats },
      schema: {
        tags: ['explorations'],
        operationId: 'getCounterexample',
        summary: 'Get a counterexample',
        description:
          'The shortest path to a violation: as JSON with a script that replays it, as text that begins with what is wrong and why, or in a format of the tools that show such paths.',
        params: CounterexampleParamsSchema,
        querystring: ExportQuerySchema,
        response: {
          200: answerOf(CounterexampleSchema, 'the counterexample'),
          ...readProblems('validation', 'not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, query }, reply) => {
      const row = await explorations.row(params.exploration);
      const format = formatAsked(reply);
      return format === null
        ? counterexample(row, params.counterexample)
        : sendFile(
            reply,
            await counterexampleFile(row, params.counterexample, format, wantsAll(query)),
          );
    },
  );

  const sendState = async (reply: FastifyReply, id: string, path: string, query: StateQuery) => {
    const row = await explorations.row(id);
    const format = formatAsked(reply);
    return format === null
      ? stateAt(graphs, row, path, query)
      : sendFile(reply, await stateFile(row, path, format, wantsAll(query)));
  };

  // A client that appends an empty path may omit the trailing slash; both forms name the initial state.
  app.get(
    '/explorations/:exploration/states',
    {
      config: { formats },
      schema: {
        tags: ['explorations'],
        operationId: 'getInitialState',
        summary: 'Get the initial state',
        description: 'The initial state, which is the state at the empty path.',
        params: ExplorationParamsSchema,
        querystring: StateQuerySchema,
        response: {
          200: answerOf(WalkStateSchema, 'the state, or the path to it'),
          ...readProblems('validation', 'not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, query }, reply) => sendState(reply, params.exploration, '', query),
  );

  app.get(
    '/explorations/:exploration/states/*',
    {
      config: { formats },
      schema: {
        tags: ['explorations'],
        operationId: 'getState',
        summary: 'Get a state on a walk',
        description:
          'The state at a path, its registers, the enabled actions, and for the others the guards that are false. Of complete searches also whether a violation can still be avoided, here and after each action; with `depth` the states around it. In other formats than JSON the path to it.',
        params: StateParamsSchema,
        querystring: StateQuerySchema,
        response: {
          200: answerOf(WalkStateSchema, 'the state, or the path to it'),
          ...readProblems('validation', 'not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, query }, reply) => sendState(reply, params.exploration, params['*'], query),
  );

  app.get(
    '/explorations/:exploration/map',
    {
      schema: {
        tags: ['explorations'],
        operationId: 'getExplorationMap',
        summary: 'Get the map of an exploration',
        description:
          "All states of a search by the micro-step and the operation that a CPU has come to: a map of the kernel's flow, about as large for a million states as for a thousand.",
        params: ExplorationParamsSchema,
        querystring: MapQuerySchema,
        response: {
          200: ExplorationMapSchema,
          ...readProblems('validation', 'not_found', 'conflict', 'too_many_requests'),
        },
      },
    },
    async ({ params, query }) =>
      graphs.map(await explorations.row(params.exploration), query.property, query.cpu ?? 0),
  );
};
