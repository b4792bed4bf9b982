/** What pollers of PULL_LABS ask KernelCI's Maestro for: they need another base URL, and nothing else. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { readProblems } from '../schemas/problem.js';
import {
  NodeParamsSchema,
  NodeRequestSchema,
  PullLabsEventsSchema,
  PullLabsJobSchema,
  PullLabsNodeSchema,
  PullLabsQuerySchema,
  PullLabsUserSchema,
} from '../schemas/pull-labs.js';

const tags = ['pools'];

export const pullLabsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { pullLabs } = app.services;

  app.get(
    '/latest/whoami',
    {
      config: { scope: 'any' },
      schema: {
        tags,
        operationId: 'getPullLabsUser',
        summary: 'Identify a poller of PULL_LABS',
        description: 'The token as a user of Maestro, with the groups that let it edit nodes.',
        response: { 200: PullLabsUserSchema, ...readProblems() },
      },
    },
    async ({ principal }) => {
      const pools = principal?.pools;
      const isSuperuser = pools === undefined && principal?.scope !== 'read';
      const groups = (pools ?? []).map((pool) => ({ name: `runtime:${pool}:node-editor` }));
      return {
        username: principal?.name ?? 'anybody',
        is_superuser: isSuperuser,
        groups: isSuperuser ? [{ name: 'node:edit:any' }] : groups,
      };
    },
  );

  app.get(
    '/latest/events',
    {
      config: { scope: 'any' },
      schema: {
        tags,
        operationId: 'getPullLabsEvents',
        summary: 'Poll for jobs as a lab of PULL_LABS',
        description:
          'Runs of pool jobs that have become available after `from`, as events about nodes: `data.runtime` is the pool. They are listed a second after that; a run that goes back to its pool is listed again.',
        querystring: PullLabsQuerySchema,
        response: { 200: PullLabsEventsSchema, ...readProblems('validation') },
      },
    },
    async (request) => {
      const { kind, from, limit } = request.query;
      if (kind !== undefined && kind !== 'job') return [];
      return pullLabs.events(request.principal?.pools, from, limit, baseOf(request));
    },
  );

  app.get(
    '/latest/node/:node',
    {
      config: { scope: 'any' },
      schema: {
        tags,
        operationId: 'getPullLabsNode',
        summary: 'Get a run as a node of Maestro',
        description: 'The state and the result of a run.',
        params: NodeParamsSchema,
        response: { 200: PullLabsNodeSchema, ...readProblems('not_found') },
      },
    },
    async (request) =>
      pullLabs.node(request.params.node, request.principal?.pools, baseOf(request)),
  );

  app.put(
    '/latest/node/:node',
    {
      config: { scope: 'pool' },
      schema: {
        tags,
        operationId: 'putPullLabsNode',
        summary: 'Claim or end a run as a poller of PULL_LABS',
        description:
          'With `state` running or a `data.job_id` it claims the run for as long as its job allows: 409 if another has it, or the pool is draining. With `state` done and a `result` it ends it; `incomplete` is the fault of the lab.',
        params: NodeParamsSchema,
        body: NodeRequestSchema,
        response: {
          200: PullLabsNodeSchema,
          ...readProblems('validation', 'not_found', 'conflict', 'rule_violated'),
        },
      },
    },
    async (request) => {
      const { params, body, principal } = request;
      return pullLabs.put(params.node, body, principal?.pools, baseOf(request));
    },
  );

  app.get(
    '/latest/job-definition/:node',
    {
      config: { scope: 'any' },
      schema: {
        tags,
        operationId: 'getPullLabsJob',
        summary: 'Get the job of a node',
        description: 'What the poller is to carry out, as a job of PULL_LABS.',
        params: NodeParamsSchema,
        response: { 200: PullLabsJobSchema, ...readProblems('not_found') },
      },
    },
    async (request) => pullLabs.job(request.params.node, request.principal?.pools, baseOf(request)),
  );
};

/** Where the client has reached this service. */
function baseOf({ protocol, host }: FastifyRequest): string {
  return `${protocol}://${host}`;
}
