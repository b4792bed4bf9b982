/** Pools of real machines. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import { ResetSchema } from '../schemas/lease.js';
import {
  MachinePageSchema,
  MachineParamsSchema,
  MachineRequestSchema,
  MachineSchema,
  PoolPageSchema,
  PoolParamsSchema,
  PoolRequestSchema,
  PoolSchema,
  PoolSummarySchema,
} from '../schemas/pool.js';
import { readProblems } from '../schemas/problem.js';
import { sendRows } from '../src/http/answer/paging.js';

const tags = ['pools'];

/** As `POST /v1/identify`. */
const MACHINE_BYTES_MAX = 2 * 1024 * 1024;
/** A machine of which a text was identified has a list of reasons and findings. */
const MACHINES_ON_PAGE = 100;

export const poolRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { pools, leases } = app.services;

  app.get(
    '/pools',
    {
      schema: {
        tags,
        operationId: 'listPools',
        summary: 'List pools',
        description: 'Lists the pools, oldest first.',
        querystring: PageQuerySchema,
        response: { 200: PoolPageSchema, ...readProblems('validation') },
      },
    },
    async ({ query }, reply) => sendRows(reply, query, (after, limit) => pools.list(after, limit)),
  );

  app.put(
    '/pools/:pool',
    {
      config: { onlyNew: true, optionalBody: true },
      schema: {
        tags,
        operationId: 'putPool',
        summary: 'Make or change a pool',
        description:
          'What is left out has its default. With `If-None-Match: *` only a new pool is made. There can be 100.',
        params: PoolParamsSchema,
        body: PoolRequestSchema,
        response: {
          200: PoolSummarySchema,
          201: PoolSummarySchema,
          ...readProblems('validation', 'not_found', 'limit_reached', 'precondition_failed'),
        },
      },
    },
    async (request, reply) => {
      const { pool } = request.params;
      const { item, isNew } = await pools.put(pool, request.body, wantsNew(request));
      if (isNew) reply.code(201).header('location', `/v1/pools/${pool}`);
      return item;
    },
  );

  app.get(
    '/pools/:pool',
    {
      schema: {
        tags,
        operationId: 'getPool',
        summary: 'Get the page of a pool',
        description:
          'Its machines with what the model says of them and what their observations showed, its runs by verdict, and which machines do not do what the model says.',
        params: PoolParamsSchema,
        response: { 200: PoolSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => pools.page(params.pool),
  );

  app.delete(
    '/pools/:pool',
    {
      schema: {
        tags,
        operationId: 'deletePool',
        summary: 'Delete a pool',
        description:
          'Deletes it with its machines and jobs; leases end with it. Observations stay.',
        params: PoolParamsSchema,
        response: { 204: NothingSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }, reply) => {
      await pools.delete(params.pool);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/pools/:pool/machines',
    {
      schema: {
        tags,
        operationId: 'listMachines',
        summary: 'List the machines of a pool',
        description:
          'In the order in which they came; a page has at most 100, even if `limit` is higher.',
        params: PoolParamsSchema,
        querystring: PageQuerySchema,
        response: { 200: MachinePageSchema, ...readProblems('validation', 'not_found') },
      },
    },
    async ({ params, query }, reply) =>
      sendRows(reply, query, (after, limit) => pools.machines(params.pool, after, limit), {
        itemsMax: MACHINES_ON_PAGE,
      }),
  );

  app.put(
    '/pools/:pool/machines/:machine',
    {
      bodyLimit: MACHINE_BYTES_MAX,
      config: { onlyNew: true, optionalBody: true },
      schema: {
        tags,
        operationId: 'putMachine',
        summary: 'Say what a machine is',
        description:
          'Takes what `POST /v1/identify` takes, and labels, in place of what was said before; answers what follows. With `If-None-Match: *` only a new machine is made. A pool can have 1,000.',
        params: MachineParamsSchema,
        body: MachineRequestSchema,
        response: {
          200: MachineSchema,
          201: MachineSchema,
          ...readProblems(
            'validation',
            'not_found',
            'limit_reached',
            'precondition_failed',
            'body_too_large',
          ),
        },
      },
    },
    async (request, reply) => {
      const { pool, machine } = request.params;
      const put = await pools.putMachine(pool, machine, request.body, wantsNew(request));
      if (put.isNew) reply.code(201).header('location', `/v1/pools/${pool}/machines/${machine}`);
      return put.item;
    },
  );

  app.get(
    '/pools/:pool/machines/:machine',
    {
      schema: {
        tags,
        operationId: 'getMachine',
        summary: 'Get a machine of a pool',
        description: 'What was said of it, what follows, and the lease that it holds.',
        params: MachineParamsSchema,
        response: { 200: MachineSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => pools.machine(params.pool, params.machine),
  );

  app.delete(
    '/pools/:pool/machines/:machine',
    {
      schema: {
        tags,
        operationId: 'deleteMachine',
        summary: 'Delete a machine of a pool',
        description: 'A lease that it holds ends, and its run goes back. Its observations stay.',
        params: MachineParamsSchema,
        response: { 204: NothingSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }, reply) => {
      await leases.reset(params.pool, params.machine);
      await pools.deleteMachine(params.pool, params.machine);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/pools/:pool/machines/:machine/reset',
    {
      schema: {
        tags,
        operationId: 'resetMachine',
        summary: 'Say that a machine begins afresh',
        description:
          'After a reboot it carries out nothing: a lease that it holds ends, and its run goes back.',
        params: MachineParamsSchema,
        response: { 200: ResetSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => leases.reset(params.pool, params.machine),
  );
};

function wantsNew({ headers }: FastifyRequest): boolean {
  return headers['if-none-match']?.trim() === '*';
}
