/** Explorations: searches of every interleaving, and their findings. */
import { type Static, Type } from 'typebox';
import { VERDICTS } from '../src/explorer/verdicts.js';
import { GRAPH_STATES_MAX } from '../src/model/vocabulary.js';
import { VerdictSchema } from './catalogue.js';
import {
  count,
  LIST_QUERY,
  nullable,
  oneOf,
  pageOf,
  prose,
  ref,
  SecondsLeftSchema,
  SlugSchema,
  TimestampSchema,
} from './common.js';
import { ExplorationModelSchema } from './exploration-model.js';
import { propertyId } from './exploration-request.js';
import { KernelDifferenceSchema } from './kernel-difference.js';

export const ExplorationIdSchema = Type.String({
  $id: 'ExplorationId',
  pattern: '^exp_[0-9a-z]{1,26}$',
  minLength: 5,
  maxLength: 30,
  description: 'the id of an exploration',
  examples: ['exp_1a'],
});

export const ExplorationParamsSchema = Type.Object(
  { exploration: ref(ExplorationIdSchema) },
  {
    $id: 'ExplorationParams',
    additionalProperties: false,
    description: 'the exploration',
    examples: [{ exploration: 'exp_1a' }],
  },
);

export const ProgressSchema = Type.Object(
  {
    done: count('distinct states found so far'),
    unit: oneOf(['states'], { description: 'the unit of done' }),
    rate_per_second: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1e12, description: 'the current rate' }),
    ),
    depth: Type.Optional(count('the level being searched')),
    frontier: Type.Optional(count('states found but not yet expanded')),
    megabytes: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1e9, description: 'memory used by states' }),
    ),
    seconds_left: Type.Optional(ref(SecondsLeftSchema)),
  },
  {
    $id: 'Progress',
    additionalProperties: false,
    description: 'the progress of a search',
    examples: [{ done: 120000, unit: 'states', rate_per_second: 900000 }],
  },
);

export const pointOfNoReturn = count(
  `the first step, counted from 1, after which the violation cannot be avoided (see Region); 0 if it never could. Absent for coverage goals, and if the search was not complete or had more than ${GRAPH_STATES_MAX} states`,
);

export const CounterexampleLinkSchema = Type.Object(
  {
    id: Type.String({ minLength: 3, maxLength: 44, description: 'its id' }),
    path: Type.String({ maxLength: 400_000, description: 'indices of successors, as in 0/3/1' }),
    steps: count('number of steps'),
    point_of_no_return: Type.Optional(pointOfNoReturn),
    symmetric: count('number of symmetric violating states it stands for'),
    paths: nullable(count('number of shortest paths to them'), 'null if too many to count'),
  },
  {
    $id: 'CounterexampleLink',
    additionalProperties: false,
    description: 'a counterexample, one per class of symmetric ones',
    examples: [
      { id: 'I1-0', path: '0/3/1', steps: 3, point_of_no_return: 2, symmetric: 1, paths: 1 },
    ],
  },
);

export const PropertyOutcomeSchema = Type.Object(
  {
    id: propertyId,
    kind: oneOf(['always', 'sometimes'], {
      description: 'always: must hold in every state; sometimes: should hold in some state',
    }),
    verdict: ref(VerdictSchema),
    states: count('number of states that violate or witness it'),
    counterexample: Type.Optional(ref(CounterexampleLinkSchema, 'the first of the shortest ones')),
    counterexamples: Type.Array(ref(CounterexampleLinkSchema), {
      maxItems: 64,
      description: 'the shortest ones, up to symmetry',
    }),
    minimal: Type.Optional(
      Type.Boolean({ description: 'whether all shallower levels were searched in full' }),
    ),
  },
  {
    $id: 'PropertyOutcome',
    additionalProperties: false,
    description: 'the result for a property',
    examples: [{ id: 'I1', kind: 'always', verdict: 'holds', states: 0, counterexamples: [] }],
  },
);

export const AssumptionSchema = Type.Object(
  {
    assumption: prose('the part that was dropped'),
    needed: Type.Boolean({ description: 'whether the violation disappears without it' }),
    verdict: ref(VerdictSchema),
  },
  {
    $id: 'Assumption',
    additionalProperties: false,
    description: 'whether a violation needs a part of the world',
    examples: [{ assumption: 'late NMIs', needed: true, verdict: 'holds' }],
  },
);

export const SmallestWorldSchema = Type.Object(
  {
    model: ref(ExplorationModelSchema, 'the world'),
    without: Type.Array(prose('what was dropped'), { maxItems: 64, description: 'in order' }),
    steps: Type.Optional(count('length of its shortest counterexample')),
    minimal: Type.Boolean({
      description: 'nothing more can be dropped; false when a search for that was cut short',
    }),
  },
  {
    $id: 'SmallestWorld',
    additionalProperties: false,
    description: 'the smallest world in which something is still violated',
    examples: [
      {
        model: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6', vcpus: [{}] },
        without: ['all NMIs but one', 'late NMIs'],
        steps: 23,
        minimal: true,
      },
    ],
  },
);

const STATES = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'] as const;

export const ExplorationSchema = Type.Object(
  {
    id: ref(ExplorationIdSchema),
    state: oneOf(STATES, { description: 'the state of the work' }),
    attempts: count(
      'how many times a worker has started it; after a crash a breadth-first search goes on from its last whole level, any other restarts from the beginning, and after three crashes it fails',
    ),
    progress: ref(ProgressSchema),
    created_at: ref(TimestampSchema),
    finished_at: Type.Optional(ref(TimestampSchema)),
    scenario: Type.Optional(ref(SlugSchema)),
    model: ref(ExplorationModelSchema, 'the world'),
    compare_with: Type.Optional(ref(SlugSchema)),
    verdict: Type.Optional(ref(VerdictSchema, 'the worst of its properties')),
    complete: Type.Optional(
      Type.Boolean({ description: 'whether every reachable state was seen' }),
    ),
    cut: nullable(prose('the bound that ended the search'), 'null if none did'),
    distinct_states: nullable(count('states seen'), 'null for random walks'),
    total_states: count('transitions taken'),
    depth: count('steps to the deepest state'),
    bytes_per_state: Type.Number({ minimum: 0, maximum: 1e9, description: 'memory per state' }),
    states_per_second: Type.Number({
      minimum: 0,
      maximum: 1e12,
      description: 'average over the search',
    }),
    folded: Type.Array(prose('a symmetry'), {
      maxItems: 8,
      description: 'the symmetries by which states were folded',
    }),
    properties: Type.Array(ref(PropertyOutcomeSchema), { maxItems: 24, description: 'in order' }),
    assumptions: Type.Optional(
      Type.Array(ref(AssumptionSchema), {
        maxItems: 40,
        description: 'the parts of the world that the violation needs',
      }),
    ),
    smallest_world: Type.Optional(ref(SmallestWorldSchema)),
    difference: Type.Optional(
      nullable(ref(KernelDifferenceSchema), 'null if no schedule distinguishes the kernels'),
    ),
    error: Type.Optional(prose('why the work failed')),
  },
  {
    $id: 'Exploration',
    additionalProperties: false,
    description: 'a search and its findings',
    examples: [
      {
        id: 'exp_1a',
        state: 'queued',
        attempts: 0,
        progress: { done: 0, unit: 'states' },
        created_at: '2026-11-23T12:00:00.000Z',
        model: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' },
        cut: null,
        distinct_states: 0,
        total_states: 0,
        depth: 0,
        bytes_per_state: 0,
        states_per_second: 0,
        folded: [],
        properties: [],
      },
    ],
  },
);
export type Exploration = Static<typeof ExplorationSchema>;

export const ExplorationQuerySchema = Type.Object(
  {
    ...LIST_QUERY,
    state: Type.Optional(oneOf(STATES, { description: 'only those in this state' })),
    verdict: Type.Optional(oneOf(VERDICTS, { description: 'only those with this verdict' })),
    scenario: Type.Optional(ref(SlugSchema, 'only those of this scenario')),
  },
  {
    $id: 'ExplorationQuery',
    additionalProperties: false,
    description: 'which explorations are listed, and how',
    examples: [{ limit: 50, sort: 'newest', state: 'succeeded', verdict: 'violated' }],
  },
);

export const ExplorationPageSchema = pageOf(
  'ExplorationPage',
  ExplorationSchema,
  'a page of explorations',
);
