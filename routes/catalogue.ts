/** What the simulator knows: CPU models, kernels, invariants, micro-steps, coverage goals, scenarios. */
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
import { canonicalId } from '../src/model/worlds/scenarios.js';
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
        summary: 'The CPU models',
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
        summary: 'A CPU model',
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
        summary: 'The kernels',
        description: 'Lists the kernel variants, each with its patches and how certain they are.',
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
        summary: 'A kernel',
        description: 'What a kernel variant does differently, by its id or an alias.',
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
        summary: 'The invariants',
        description: 'Lists what must be true of a machine, and where that is evaluated.',
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
        summary: 'An invariant',
        description: 'One invariant: in words, as a predicate, and where it is evaluated.',
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
        summary: 'The micro-steps',
        description:
          'Lists the steps between which NMIs land, in the order of a PMU disable/enable and of a run of a vCPU.',
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
        summary: 'A micro-step',
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
        summary: 'The coverage goals',
        description:
          'Lists the states that a search should reach before its verdict "holds" says much.',
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
        summary: 'A coverage goal',
        description: 'What is true of a state that reaches the goal.',
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
        summary: 'The scenarios',
        description: 'Named worlds to explore, each with the verdicts and counts known of it.',
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
        summary: 'The matrix',
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
        summary: 'A scenario',
        description: 'One named world and what is known of it.',
        params: CatalogueParamsSchema,
        response: { 200: ScenarioSchema, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) =>
      scenarioItemById(id) ??
      notInCatalogue('scenario', id, idsOf(scenarios), { canonical: canonicalId(id) }),
  );
};
