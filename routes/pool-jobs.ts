/** Pool jobs: what machines of a pool are to run. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import {
  PoolJobPageSchema,
  PoolJobParamsSchema,
  PoolJobQuerySchema,
  PoolJobRequestSchema,
  PoolJobSchema,
  RunPageSchema,
} from '../schemas/pool-job.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { ReportQuerySchema, ReportTextSchema } from '../schemas/report.js';
import { sendRows } from '../src/http/answer/paging.js';
import { sendReply } from '../src/http/read/idempotency.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import { REPORT_TYPES } from '../src/service/reports/formats.js';
import { answerOf, reportFormats, sendReported } from './exports.js';

const tags = ['pools'];

/** A job has a script of up to 64 KiB. */
const JOBS_ON_PAGE = 50;

export const poolJobRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { poolJobs } = app.services;

  app.post(
    '/pool-jobs',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'createPoolJob',
        summary: 'Give a pool something to run',
        description:
          'Each of the copies is a run, which is lent to a machine that meets the requirements. A run that the lab fails is tried again, three times in all; one that the code fails is not. In one pool 1,000 jobs and 100,000 runs can be unfinished.',
        body: PoolJobRequestSchema,
        response: {
          202: PoolJobSchema,
          ...changeProblems('rule_violated', 'unknown_name'),
        },
      },
    },
    async ({ body, ticket }, reply) =>
      sendReply(reply, await poolJobs.create(body, ticket ?? undefined)),
  );

  app.get(
    '/pool-jobs',
    {
      schema: {
        tags,
        operationId: 'listPoolJobs',
        summary: 'List pool jobs',
        description:
          'Newest first; a page has at most 50, even if `limit` is higher. Ended jobs are kept for RETENTION_HOURS, the newest 1,000 with up to 100,000 runs.',
        querystring: PoolJobQuerySchema,
        response: { 200: PoolJobPageSchema, ...readProblems('validation') },
      },
    },
    async ({ query }, reply) =>
      sendRows(reply, query, (before, limit) => poolJobs.list(query, before, limit), {
        itemsMax: JOBS_ON_PAGE,
        isNewestFirst: true,
      }),
  );

  app.get(
    '/pool-jobs/:job',
    {
      config: { waits: true, formats: reportFormats },
      schema: {
        tags,
        operationId: 'getPoolJob',
        summary: 'Get a pool job',
        description:
          'How its runs stand; `Prefer: wait=N` waits for the end of the last. As KTAP, JUnit XML or KCIDB each run is a test, with the machine and the time of its last attempt.',
        params: PoolJobParamsSchema,
        querystring: ReportQuerySchema,
        response: {
          200: answerOf(PoolJobSchema, 'the pool job', REPORT_TYPES, ReportTextSchema),
          ...readProblems('validation', 'not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, headers }, reply) => {
      const job = await poolJobs.wait(params.job, preferredWaitMillis(headers.prefer));
      return sendReported(reply, job, () => poolJobs.report(params.job));
    },
  );

  app.get(
    '/pool-jobs/:job/runs',
    {
      schema: {
        tags,
        operationId: 'listRuns',
        summary: 'List the runs of a pool job',
        description: 'The copies in their order, each with its verdict and the attempts at it.',
        params: PoolJobParamsSchema,
        querystring: PageQuerySchema,
        response: { 200: RunPageSchema, ...readProblems('validation', 'not_found') },
      },
    },
    async ({ params, query }, reply) =>
      sendRows(reply, query, (after, limit) => poolJobs.runs(params.job, after, limit)),
  );

  app.post(
    '/pool-jobs/:job/cancel',
    {
      schema: {
        tags,
        operationId: 'cancelPoolJob',
        summary: 'Cancel a pool job',
        description:
          'Runs that wait are cancelled; machines that hold one hear of it when they renew its lease. A job that has ended is unchanged.',
        params: PoolJobParamsSchema,
        response: { 200: PoolJobSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => poolJobs.cancel(params.job),
  );

  app.delete(
    '/pool-jobs/:job',
    {
      schema: {
        tags,
        operationId: 'deletePoolJob',
        summary: 'Delete a pool job',
        description: 'Deletes it with its runs; leases end with them. Observations stay.',
        params: PoolJobParamsSchema,
        response: { 204: NothingSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }, reply) => {
      await poolJobs.delete(params.job);
      return reply.code(204).send(null);
    },
  );
};
