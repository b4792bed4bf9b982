/** Explanations: whether the recording of a real machine is a behaviour of a kernel. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { NothingSchema } from '../schemas/common.js';
import {
  ExplanationPageSchema,
  ExplanationParamsSchema,
  ExplanationQuerySchema,
  ExplanationRequestSchema,
  ExplanationSchema,
} from '../schemas/explanation.js';
import { ObservationParamsSchema } from '../schemas/observation.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import { sendStarted, sendWorks } from './long-work.js';

const tags = ['observations'];

const LISTED =
  'A page has at most 100, even if `limit` is higher; `host`, `script` and `story` of each kernel are left out, and are in the explanation itself. Explanations are kept as long as their observation, and no longer than RETENTION_HOURS.';

export const explanationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { explanations, observations } = app.services;

  app.post(
    '/observations/:observation/explanations',
    {
      config: { idempotent: true, waits: true },
      schema: {
        tags,
        operationId: 'explain',
        summary: 'Explain a recording',
        description:
          'Whether the WRMSRs, entries and exits of one CPU, as the text has them, are a behaviour of a kernel: by which schedule, and if not, at which record they stop being one. Steps that no tracepoint shows are free, and what lines of loss leave open as well. Counters and other MSRs whose values the model does not have are skipped. Answers 202 at once; with `Prefer: wait=N` it waits up to N seconds (at most 60) and answers 200 if it has ended.',
        params: ObservationParamsSchema,
        body: ExplanationRequestSchema,
        response: {
          200: ExplanationSchema,
          202: ExplanationSchema,
          ...changeProblems(
            'not_found',
            'rule_violated',
            'unknown_name',
            'value_out_of_range',
            'perf_errno',
            'conflict',
          ),
        },
      },
    },
    async (request, reply) => {
      const owner = request.principal?.name ?? null;
      const { observation } = request.params;
      const ticket = request.ticket ?? undefined;
      const created = await explanations.create(observation, request.body, owner, ticket);
      return sendStarted(request, reply, explanations, created);
    },
  );

  app.get(
    '/observations/:observation/explanations',
    {
      schema: {
        tags,
        operationId: 'listExplanationsOf',
        summary: 'List the explanations of an observation',
        description: `Lists what was asked of one observation, newest first. ${LISTED}`,
        params: ObservationParamsSchema,
        querystring: ExplanationQuerySchema,
        response: {
          200: ExplanationPageSchema,
          ...readProblems('validation', 'not_found', 'unknown_name'),
        },
      },
    },
    async ({ params: { observation }, query }, reply) => {
      await observations.assertThere(observation);
      return sendWorks(reply, { ...query, observation }, explanations);
    },
  );

  app.get(
    '/explanations',
    {
      schema: {
        tags,
        operationId: 'listExplanations',
        summary: 'List explanations',
        description: `Lists the explanations of all observations, newest first. ${LISTED}`,
        querystring: ExplanationQuerySchema,
        response: { 200: ExplanationPageSchema, ...readProblems('validation', 'unknown_name') },
      },
    },
    async ({ query }, reply) => sendWorks(reply, query, explanations),
  );

  app.get(
    '/explanations/:explanation',
    {
      config: { waits: true },
      schema: {
        tags,
        operationId: 'getExplanation',
        summary: 'Get an explanation',
        description:
          'How far it is, and what was found of each kernel. `Prefer: wait=N` waits for the end.',
        params: ExplanationParamsSchema,
        response: { 200: ExplanationSchema, ...readProblems('not_found') },
      },
    },
    async ({ params, headers }) =>
      explanations.wait(params.explanation, preferredWaitMillis(headers.prefer)),
  );

  app.post(
    '/explanations/:explanation/cancel',
    {
      schema: {
        tags,
        operationId: 'cancelExplanation',
        summary: 'Cancel an explanation',
        description: 'Stops it; one that has ended is unchanged.',
        params: ExplanationParamsSchema,
        response: { 200: ExplanationSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => explanations.cancel(params.explanation),
  );

  app.delete(
    '/explanations/:explanation',
    {
      schema: {
        tags,
        operationId: 'deleteExplanation',
        summary: 'Delete an explanation',
        description: 'Cancels it if it is under way, and deletes it with all that it found.',
        params: ExplanationParamsSchema,
        response: { 204: NothingSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }, reply) => {
      await explanations.delete(params.explanation);
      return reply.code(204).send(null);
    },
  );
};
