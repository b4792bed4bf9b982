/** The catalogue: CPU models, kernels, invariants, micro-steps, coverage goals, scenarios. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import {
  CatalogueParamsSchema,
  CoverageGoalPageSchema,
  CoverageGoalSchema,
  MicroStepPageSchema,
  MicroStepParamsSchema,
  MicroStepSchema,
} from '../schemas/catalogue.js';
import { PageQuerySchema } from '../schemas/common.js';
import { CpuModelPageSchema, CpuModelQuerySchema, CpuModelSchema } from '../schemas/cpu-model.js';
import {
  InvariantPageSchema,
  InvariantParamsSchema,
  InvariantSchema,
} from '../schemas/invariant.js';
import { KernelPageSchema, KernelSchema } from '../schemas/kernel.js';
import { problems } from '../schemas/problem.js';
import { ScenarioPageSchema, ScenarioSchema } from '../schemas/scenario.js';
import { sendPage } from '../src/http/answer/paging.js';
import {
  coverageGoals,
  cpuModels,
  cpuModelsOf,
  invariants,
  kernelItemById,
  kernels,
  matrixScenarios,
  microSteps,
  scenarioItemById,
  scenarios,
} from '../src/service/catalogue.js';
import { KERNEL_NAMES, notInCatalogue } from '../src/service/lookups.js';

interface Texts {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
}

interface Item {
  readonly id: string;
}

/** `GET` of a page of entries. */
function list(
  app: FastifyInstance,
  path: string,
  page: object,
  items: readonly Item[],
  texts: Texts,
): void {
  app.get<{ Querystring: Static<typeof PageQuerySchema> }>(
    path,
    {
      schema: {
        tags: ['catalogue'],
        ...texts,
        querystring: PageQuerySchema,
        response: { 200: page, ...problems('validation') },
      },
    },
    async (request, reply) => sendPage(reply, items, request.query, ({ id }) => id),
  );
}

/** `GET` of one entry, which `find` gives or refuses. */
function item(
  app: FastifyInstance,
  path: string,
  schemas: { readonly params?: object; readonly entry: object },
  find: (id: string) => Item,
  texts: Texts,
): void {
  app.get<{ Params: Item }>(
    path,
    {
      schema: {
        tags: ['catalogue'],
        ...texts,
        params: schemas.params ?? CatalogueParamsSchema,
        response: { 200: schemas.entry, ...problems('validation', 'not_found') },
      },
    },
    async ({ params: { id } }) => find(id),
  );
}

/** Finds an entry of a list by its id. */
function findIn(what: string, items: readonly Item[]): (id: string) => Item {
  return (id) =>
    items.find((entry) => entry.id === id) ??
    notInCatalogue(
      what,
      id,
      items.map((entry) => entry.id),
    );
}

export const catalogueRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/cpu-models',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listCpuModels',
        summary: 'List CPU models',
        description:
          'Lists the CPU models, each with its platform class and its sources; by family, model and stepping, those that a CPU may be of.',
        querystring: CpuModelQuerySchema,
        response: { 200: CpuModelPageSchema, ...problems('validation') },
      },
    },
    async ({ query }, reply) => sendPage(reply, cpuModelsOf(query), query, ({ id }) => id),
  );

  item(app, '/cpu-models/:id', { entry: CpuModelSchema }, findIn('CPU model', cpuModels), {
    operationId: 'getCpuModel',
    summary: 'Get a CPU model',
    description: 'What perf and KVM conclude from a CPU model.',
  });

  list(app, '/kernels', KernelPageSchema, kernels, {
    operationId: 'listKernels',
    summary: 'List kernels',
    description: 'Lists the kernel variants, each with its patches and its certainty.',
  });

  item(
    app,
    '/kernels/:id',
    { entry: KernelSchema },
    (id) => kernelItemById(id) ?? notInCatalogue('kernel', id, KERNEL_NAMES),
    {
      operationId: 'getKernel',
      summary: 'Get a kernel',
      description:
        'A kernel variant by its id or an alias: its options, its patches, and how it treats each CPU model.',
    },
  );

  list(app, '/invariants', InvariantPageSchema, invariants, {
    operationId: 'listInvariants',
    summary: 'List invariants',
    description: 'Lists the conditions that a machine must satisfy, and where they are checked.',
  });

  item(
    app,
    '/invariants/:id',
    { params: InvariantParamsSchema, entry: InvariantSchema },
    findIn('invariant', invariants),
    {
      operationId: 'getInvariant',
      summary: 'Get an invariant',
      description: 'An invariant in words and as a predicate, and where it is checked.',
    },
  );

  list(app, '/micro-steps', MicroStepPageSchema, microSteps, {
    operationId: 'listMicroSteps',
    summary: 'List micro-steps',
    description:
      'Lists the micro-steps, between which NMIs land, in the order of a PMU disable/enable and of a vCPU run.',
  });

  item(
    app,
    '/micro-steps/:id',
    { params: MicroStepParamsSchema, entry: MicroStepSchema },
    findIn('micro-step', microSteps),
    {
      operationId: 'getMicroStep',
      summary: 'Get a micro-step',
      description: 'What happens in one micro-step, and whether an NMI may land right after it.',
    },
  );

  list(app, '/coverage-goals', CoverageGoalPageSchema, coverageGoals, {
    operationId: 'listCoverageGoals',
    summary: 'List coverage goals',
    description:
      'Lists the states that a search should reach; a verdict "holds" without them may be vacuous.',
  });

  item(
    app,
    '/coverage-goals/:id',
    { entry: CoverageGoalSchema },
    findIn('coverage goal', coverageGoals),
    {
      operationId: 'getCoverageGoal',
      summary: 'Get a coverage goal',
      description: 'The condition that a state must satisfy to reach the goal.',
    },
  );

  list(app, '/scenarios', ScenarioPageSchema, scenarios, {
    operationId: 'listScenarios',
    summary: 'List scenarios',
    description: 'Lists the named worlds to explore, each with its known verdicts and counts.',
  });

  list(app, '/scenarios/matrix', ScenarioPageSchema, matrixScenarios, {
    operationId: 'listMatrix',
    summary: 'List the matrix',
    description: 'The main race for every kernel, platform class and NMI timing.',
  });

  item(app, '/scenarios/:id', { entry: ScenarioSchema }, scenarioItemById, {
    operationId: 'getScenario',
    summary: 'Get a scenario',
    description: 'A named world with its known verdicts and counts.',
  });
};
