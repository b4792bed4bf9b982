/** What machines of a pool do: ask for something to run, renew their leases, report results. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { NothingSchema } from '../schemas/common.js';
import {
  BeatRequestSchema,
  BeatSchema,
  CompletionRequestSchema,
  CompletionSchema,
  LeaseParamsSchema,
  LeaseRequestSchema,
  LeaseSchema,
  LentSchema,
} from '../schemas/lease.js';
import { PoolParamsSchema } from '../schemas/pool.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { sendReply } from '../src/http/read/idempotency.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import { endOf } from './hanging-up.js';

const tags = ['pools'];

/** When it is worth asking again where there was nothing; without a wait, or where the wait was cut short. */
const RETRY_SECONDS = 10;

export const leaseRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { leases } = app.services;

  app.post(
    '/pools/:pool/leases',
    {
      config: { idempotent: true, waits: true, scope: 'pool' },
      schema: {
        tags,
        operationId: 'createLease',
        summary: 'Ask for something to run',
        description:
          'Lends the machine a run that it meets the requirements of: those of the highest priority first, then the oldest. Answers 204 with `Retry-After` where there is none; `Prefer: wait=N` waits for one. A machine that the pool does not know is one of it from now on. A machine holds one lease at a time: 409 if it holds one, unless the request is repeated with its `Idempotency-Key`.',
        params: PoolParamsSchema,
        body: LeaseRequestSchema,
        response: {
          201: LentSchema,
          204: NothingSchema,
          ...changeProblems('not_found', 'conflict', 'limit_reached'),
        },
      },
    },
    async (request, reply) => {
      const { params, body, principal, headers } = request;
      const lent = await leases.claim(
        params.pool,
        body,
        principal?.pools,
        request.ticket ?? undefined,
        preferredWaitMillis(headers.prefer),
        endOf(app, reply),
      );
      return lent === undefined ? sendNothing(reply) : sendReply(reply, lent);
    },
  );

  app.get(
    '/leases/:lease',
    {
      schema: {
        tags,
        operationId: 'getLease',
        summary: 'Get a lease',
        description: 'How the newest attempt at its run stands.',
        params: LeaseParamsSchema,
        response: { 200: LeaseSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => leases.get(params.lease),
  );

  app.put(
    '/leases/:lease/heartbeat',
    {
      config: { scope: 'pool' },
      schema: {
        tags,
        operationId: 'renewLease',
        summary: 'Renew a lease',
        description:
          'Renews the lease, and says whether to go on. 409 if the run has been given to another since, or with a wrong token; 410 if the lease is over. The first should succeed before the work begins.',
        params: LeaseParamsSchema,
        body: BeatRequestSchema,
        response: {
          200: BeatSchema,
          ...readProblems('validation', 'not_found', 'conflict', 'lease_expired'),
        },
      },
    },
    async ({ params, body, principal }) => leases.beat(params.lease, body, principal?.pools),
  );

  app.post(
    '/leases/:lease/complete',
    {
      config: { scope: 'pool' },
      schema: {
        tags,
        operationId: 'completeLease',
        summary: 'Report the result of a run',
        description:
          'Ends the lease. `error` is the fault of the lab: the run is tried again, three times in all. The same report again gets the same answer; another one is refused. A report that comes after the lease has ended is kept with its attempt, and does not count.',
        params: LeaseParamsSchema,
        body: CompletionRequestSchema,
        response: {
          200: CompletionSchema,
          ...readProblems('validation', 'not_found', 'conflict'),
        },
      },
    },
    async ({ params, body, principal }) => leases.complete(params.lease, body, principal?.pools),
  );
};

function sendNothing(reply: FastifyReply): FastifyReply {
  return reply.code(204).header('retry-after', String(RETRY_SECONDS)).send(null);
}
