/** The stateless calculators and the comparison of kernels. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  ComparisonRequestSchema,
  ComparisonSchema,
  ComparisonTextSchema,
} from '../schemas/comparison.js';
import { IdentityRequestSchema, IdentitySchema } from '../schemas/identify.js';
import { problems } from '../schemas/problem.js';
import { RoundTripsRequestSchema, RoundTripsSchema } from '../schemas/round-trip.js';
import { RunComparisonRequestSchema, RunComparisonSchema } from '../schemas/run-comparison.js';
import { SwitchListRequestSchema, SwitchListSchema } from '../schemas/switch-list.js';
import { roundTrips, switchList } from '../src/service/calculators.js';
import { toCsv, toMarkdown } from '../src/service/comparisons.js';
import { identifyMachine } from '../src/service/identification.js';
import { endOf } from './hanging-up.js';

const JSON_TYPE = 'application/json';
const CSV_TYPE = 'text/csv';
const MARKDOWN_TYPE = 'text/markdown';

/** 1,000 steps with every field at full length. */
const ROUND_TRIPS_BYTES_MAX = 512 * 1024;

/** /proc/cpuinfo of a thousand CPUs, and a long log. */
const IDENTITY_BYTES_MAX = 2 * 1024 * 1024;

export const calculatorRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { comparisons } = app.services;

  app.post(
    '/switch-lists',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['calculators'],
        operationId: 'calculateSwitchList',
        summary: 'The switch list that perf returns to KVM',
        description:
          'Returns the list of perf_guest_get_msrs() for a given state in kernel order, and what KVM does with each entry.',
        body: SwitchListRequestSchema,
        response: {
          200: SwitchListSchema,
          ...problems('validation', 'value_out_of_range', 'rule_violated', 'unknown_name'),
        },
      },
    },
    async ({ body }) => switchList(body),
  );

  app.post(
    '/round-trips',
    {
      bodyLimit: ROUND_TRIPS_BYTES_MAX,
      config: { scope: 'read' },
      schema: {
        tags: ['calculators'],
        operationId: 'calculateRoundTrips',
        summary: 'Successive runs of one vCPU from given states',
        description:
          'The MSR-load areas start empty and persist from step to step. Before each step the registers hold the values perf wants; a throttling NMI lands after the lists are applied and before VM-entry.',
        body: RoundTripsRequestSchema,
        response: {
          200: RoundTripsSchema,
          ...problems('validation', 'value_out_of_range', 'rule_violated', 'unknown_name'),
        },
      },
    },
    async ({ body }) => roundTrips(body),
  );

  app.post(
    '/identify',
    {
      bodyLimit: IDENTITY_BYTES_MAX,
      config: { scope: 'read' },
      schema: {
        tags: ['calculators'],
        operationId: 'identifyMachine',
        summary: 'What a real machine is, and whether it can have the problem',
        description:
          "From what a machine's commands print, or the numbers themselves: its CPU model, whether PEBS is isolated and guests may use it, which fixes its kernel has, and so whether KVM is to load IA32_PEBS_ENABLE at VM-entry and VM-exit. What the texts do not decide is null or unknown, and `missing` names what would.",
        body: IdentityRequestSchema,
        response: { 200: IdentitySchema, ...problems('validation', 'body_too_large') },
      },
    },
    async ({ body }) => (await identifyMachine(body)).identity,
  );

  app.post(
    '/comparisons',
    {
      config: { scope: 'read', produces: [JSON_TYPE, CSV_TYPE, MARKDOWN_TYPE] },
      schema: {
        tags: ['calculators'],
        operationId: 'compareKernels',
        summary: 'The cost of a round trip, kernel by kernel',
        description:
          'MSR writes of one round trip in the steady state, for each kernel, CPU model and scenario; as JSON, CSV or Markdown.',
        body: ComparisonRequestSchema,
        response: {
          200: {
            description: 'the table',
            content: {
              [JSON_TYPE]: { schema: ComparisonSchema },
              [CSV_TYPE]: { schema: ComparisonTextSchema },
              [MARKDOWN_TYPE]: { schema: ComparisonTextSchema },
            },
          },
          ...problems(
            'validation',
            'unknown_name',
            'not_acceptable',
            'too_many_requests',
            'unavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      const comparison = await comparisons.compare(request.body, endOf(app, reply));
      switch (request.answerType) {
        case CSV_TYPE:
          return reply.type(CSV_TYPE).send(toCsv(comparison));
        case MARKDOWN_TYPE:
          return reply.type(MARKDOWN_TYPE).send(toMarkdown(comparison));
        default:
          return reply.type(JSON_TYPE).send(comparison);
      }
    },
  );

  app.post(
    '/comparisons/runs',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['calculators'],
        operationId: 'compareRuns',
        summary: 'One script on several kernels',
        description:
          'Runs a script on each kernel, puts the steps side by side, and says where the runs differ: in control, writes, state or verdict. A kernel that refuses an action stops there, which is a difference; what no kernel takes is a problem.',
        body: RunComparisonRequestSchema,
        response: {
          200: RunComparisonSchema,
          ...problems(
            'validation',
            'unknown_name',
            'value_out_of_range',
            'rule_violated',
            'perf_errno',
            'conflict',
            'limit_reached',
            'too_many_requests',
            'unavailable',
          ),
        },
      },
    },
    async ({ body }, reply) => comparisons.runs(body, endOf(app, reply)),
  );
};
