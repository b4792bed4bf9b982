/** The catalogue: CPU models, kernels, invariants, micro-steps, coverage goals, scenarios. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  CatalogueParamsSchema,
  CoverageGoalPageSchema,
  CoverageGoalSchema,
  CpuModelPageSchema,
  CpuModelSchema,
  InvariantPageSchema,
  InvariantParamsSchema,
  InvariantSchema,
  KernelPageSchema,
  KernelSchema,
  MicroStepPageSchema,
  MicroStepParamsSchema,
  MicroStepSchema,
} from '../schemas/catalogue.js';
import { PageQuerySchema } from '../schemas/common.js';
import { problems } from '../schemas/problem.js';
import { ScenarioPageSchema, ScenarioSchema } from '../schemas/scenario.js';
import { sendPage } from '../src/http/answer/paging.js';
import {
  coverageGoals,
  cpuModels,
  invariants,
  kernelItemById,
  kernels,
  matrixScenarios,
  microSteps,
  scenarioItemById,
  scenarios,
} from '../src/service/catalogue.js';
import { KERNEL_NAMES, notInCatalogue } from '../src/service/lookups.js';

const idsOf = (items: readonly { readonly id: string }[]): string[] => items.map(({ id }) => id);

export const catalogueRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/cpu-models',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listCpuModels',
        summary: 'List CPU models',
        description: 'Lists the CPU models, each with its platform class and its sources.',
        querystring: PageQuerySchema,
        response: { 200: CpuModelPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, cpuModels, request.query, ({ id }) => id),
  );

  app.get(
    '/cpu-models/:id',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'getCpuModel',
        summary: 'Get a CPU model',
        description: 'What perf and KVM conclude from a CPU model.',
        params: CatalogueParamsSchema,
        response: { 200: CpuModelSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) =>
      cpuModels.find((model) => model.id === id) ??
      notInCatalogue('CPU model', id, idsOf(cpuModels)),
  );

  app.get(
    '/kernels',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listKernels',
        summary: 'List kernels',
        description: 'Lists the kernel variants, each with its patches and its certainty.',
        querystring: PageQuerySchema,
        response: { 200: KernelPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, kernels, request.query, ({ id }) => id),
  );

  app.get(
    '/kernels/:id',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'getKernel',
        summary: 'Get a kernel',
        description:
          'A kernel variant by its id or an alias: its options, its patches, and how it treats each CPU model.',
        params: CatalogueParamsSchema,
        response: { 200: KernelSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) => kernelItemById(id) ?? notInCatalogue('kernel', id, KERNEL_NAMES),
  );

  app.get(
    '/invariants',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listInvariants',
        summary: 'List invariants',
        description:
          'Lists the conditions that a machine must satisfy, and where they are checked.',
        querystring: PageQuerySchema,
        response: { 200: InvariantPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, invariants, request.query, ({ id }) => id),
  );

  app.get(
    '/invariants/:id',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'getInvariant',
        summary: 'Get an invariant',
        description: 'An invariant in words and as a predicate, and where it is checked.',
        params: InvariantParamsSchema,
        response: { 200: InvariantSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) =>
      invariants.find((invariant) => invariant.id === id) ??
      notInCatalogue('invariant', id, idsOf(invariants)),
  );

  app.get(
    '/micro-steps',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listMicroSteps',
        summary: 'List micro-steps',
        description:
          'Lists the micro-steps, between which NMIs land, in the order of a PMU disable/enable and of a vCPU run.',
        querystring: PageQuerySchema,
        response: { 200: MicroStepPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, microSteps, request.query, ({ id }) => id),
  );

  app.get(
    '/micro-steps/:id',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'getMicroStep',
        summary: 'Get a micro-step',
        description: 'What happens in one micro-step, and whether an NMI may land right after it.',
        params: MicroStepParamsSchema,
        response: { 200: MicroStepSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) =>
      microSteps.find((entry) => entry.id === id) ??
      notInCatalogue('micro-step', id, idsOf(microSteps)),
  );

  app.get(
    '/coverage-goals',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listCoverageGoals',
        summary: 'List coverage goals',
        description:
          'Lists the states that a search should reach; a verdict "holds" without them may be vacuous.',
        querystring: PageQuerySchema,
        response: { 200: CoverageGoalPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, coverageGoals, request.query, ({ id }) => id),
  );

  app.get(
    '/coverage-goals/:id',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'getCoverageGoal',
        summary: 'Get a coverage goal',
        description: 'The condition that a state must satisfy to reach the goal.',
        params: CatalogueParamsSchema,
        response: { 200: CoverageGoalSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) =>
      coverageGoals.find((entry) => entry.id === id) ??
      notInCatalogue('coverage goal', id, idsOf(coverageGoals)),
  );

  app.get(
    '/scenarios',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listScenarios',
        summary: 'List scenarios',
        description: 'Lists the named worlds to explore, each with its known verdicts and counts.',
        querystring: PageQuerySchema,
        response: { 200: ScenarioPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, scenarios, request.query, ({ id }) => id),
  );

  app.get(
    '/scenarios/matrix',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listMatrix',
        summary: 'List the matrix',
        description: 'The main race for every kernel, platform class and NMI timing.',
        querystring: PageQuerySchema,
        response: { 200: ScenarioPageSchema, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, matrixScenarios, request.query, ({ id }) => id),
  );

  app.get(
    '/scenarios/:id',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'getScenario',
        summary: 'Get a scenario',
        description: 'A named world with its known verdicts and counts.',
        params: CatalogueParamsSchema,
        response: { 200: ScenarioSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) => scenarioItemById(id),
  );
};
