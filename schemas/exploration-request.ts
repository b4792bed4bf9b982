/** What a client asks of an exploration: a world, properties and bounds. */
import { type Static, Type } from 'typebox';
import { oneOf, ref, SlugSchema } from './common.js';
import { ExplorationModelSchema } from './exploration-model.js';

export const ExplorationBoundsSchema = Type.Object(
  {
    depth: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000, description: 'steps from the initial state' }),
    ),
    states: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 200_000_000, description: 'distinct states' }),
    ),
    seconds: Type.Optional(
      Type.Number({
        minimum: 0.01,
        maximum: 3600,
        description:
          'search time, 60 by default; assumptions and compare_with together may take as long again',
      }),
    ),
    megabytes: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 16_384,
        description:
          'memory for states, 2048 by default; limited by SEARCH_MEGABYTES of the service (by default half of the memory of its machine or control group, divided by the number of concurrent searches), and higher values are rejected',
      }),
    ),
    nmis: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 15,
        description:
          'the maximum number of throttling NMIs: the budget of that actor if it has none',
      }),
    ),
  },
  {
    $id: 'ExplorationBounds',
    additionalProperties: false,
    description: 'limits of a search; reaching one makes the verdict undecided',
    examples: [{ seconds: 30, states: 5_000_000 }],
  },
);

/** Properties are invariants and coverage goals. */
export const propertyId = Type.String({
  minLength: 2,
  maxLength: 40,
  pattern: "^[A-Za-z0-9_']+$",
  description: 'an invariant, or a coverage goal such as guest_entered',
});

export const ExplorationRequestSchema = Type.Object(
  {
    scenario: Type.Optional(ref(SlugSchema, 'a scenario of the catalogue that has a model')),
    model: Type.Optional(ref(ExplorationModelSchema)),
    compare_with: Type.Optional(
      ref(SlugSchema, 'another kernel, explored in lockstep with this one on the same schedules'),
    ),
    properties: Type.Optional(
      Type.Array(propertyId, {
        minItems: 1,
        maxItems: 24,
        uniqueItems: true,
        description: 'the properties to check; by default I1, I2, I3 and all coverage goals',
      }),
    ),
    strategy: Type.Optional(
      oneOf(['bfs', 'dfs', 'random'], {
        description: 'bfs, the default, finds the shortest counterexamples',
      }),
    ),
    seed: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 4_294_967_295, description: 'the seed of random walks' }),
    ),
    walks: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'the number of random walks' }),
    ),
    bounds: Type.Optional(ref(ExplorationBoundsSchema)),
    workers: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 8,
        description: 'worker threads of a bfs, at most the number of cores',
      }),
    ),
    fold: Type.Optional(
      Type.Boolean({
        description:
          'search only one of each class of symmetric states, if that is sound; by default true for a model, false for a scenario',
      }),
    ),
    stop_at_first: Type.Optional(
      Type.Boolean({ description: 'stop after the level of the first violation' }),
    ),
    assumptions: Type.Optional(
      Type.Boolean({
        description:
          'find out which parts of the world a violation needs, by dropping each part and all but one of each kind, and the smallest world that still has one',
      }),
    ),
  },
  {
    $id: 'ExplorationRequest',
    additionalProperties: false,
    oneOf: [{ required: ['scenario'] }, { required: ['model'] }],
    description: 'a world to search, by scenario or in full',
    examples: [
      {
        model: {
          cpu_model: 'emerald-rapids',
          kernel: 'linux-7.2.6',
          cpus: 1,
          events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
          vcpus: [{}],
          actors: [{ kind: 'nmi_throttle', budget: 1 }],
        },
        properties: ['I1'],
        strategy: 'bfs',
        bounds: { seconds: 30 },
      },
    ],
  },
);
export type ExplorationRequest = Static<typeof ExplorationRequestSchema>;
