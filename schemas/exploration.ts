/** Explorations: searches of every interleaving, and their findings. */
import { type Static, Type } from 'typebox';
import { GRAPH_STATES_MAX } from '../src/model/vocabulary.js';
import { VerdictSchema } from './catalogue.js';
import {
  CpuNumberSchema,
  count,
  nullable,
  oneOf,
  PmuMsrNameSchema,
  pageOf,
  prose,
  ref,
  SlugSchema,
  TimestampSchema,
  U64Schema,
} from './common.js';
import { ExplorationModelSchema } from './exploration-model.js';

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
    seconds_left: Type.Optional(
      Type.Array(Type.Number({ minimum: 0, maximum: 1e12 }), {
        minItems: 3,
        maxItems: 3,
        description: 'an estimate (low, likely, high); absent if unknown',
      }),
    ),
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

export const PartingRegisterSchema = Type.Object(
  {
    msr: ref(PmuMsrNameSchema),
    kernel: ref(U64Schema, 'on the kernel that fails'),
    other: ref(U64Schema, 'on the other'),
  },
  {
    $id: 'PartingRegister',
    additionalProperties: false,
    description: 'a register that differs between two kernels',
    examples: [
      { msr: 'IA32_PEBS_ENABLE', kernel: '0x0000000000000000', other: '0x0000000000000001' },
    ],
  },
);

export const whose = Type.String({
  maxLength: 80,
  description: 'the CPU, vCPU or event; empty for the machine as a whole',
});

export const EndValueSchema = Type.Object(
  {
    of: whose,
    field: Type.String({ maxLength: 80, description: 'as the kernel or the SDM calls it' }),
    hardware: prose('what it holds'),
    desired: prose('what it should hold'),
    bits: Type.Optional(prose('of a set: the bits in which the two differ')),
  },
  {
    $id: 'EndValue',
    additionalProperties: false,
    description: 'a field that is wrong at the end of a counterexample',
    examples: [
      {
        of: 'cpu0',
        field: 'IA32_PEBS_ENABLE',
        hardware: '0x0000000000000001',
        desired: '0x0000000000000000',
        bits: 'PMC0',
      },
    ],
  },
);

export const MsrPartingSchema = Type.Object(
  {
    step: count('which step of the schedule'),
    cpu: ref(CpuNumberSchema),
    registers: Type.Array(ref(PartingRegisterSchema), {
      maxItems: 8,
      description: 'those that differ, with both values',
    }),
  },
  {
    $id: 'MsrParting',
    additionalProperties: false,
    description: 'where the registers of two kernels first differ',
    examples: [{ step: 11, cpu: 0, registers: [] }],
  },
);
export type MsrParting = Static<typeof MsrPartingSchema>;

export const KernelDifferenceSchema = Type.Object(
  {
    kernel: ref(SlugSchema, 'the kernel on which an invariant is violated'),
    other: ref(SlugSchema, 'the kernel on which none is'),
    steps: count('length of the shortest schedule that distinguishes them'),
    schedule: Type.Array(prose('a step of both kernels'), {
      maxItems: 10_000,
      description: 'in order',
    }),
    msrs_part_at: nullable(
      prose('the first step after which the registers differ'),
      'null if they never differ',
    ),
    msrs_part: Type.Optional(nullable(ref(MsrPartingSchema), 'null when they never do')),
    property: Type.Optional({ ...propertyId, description: 'the invariant that fails' }),
    summary: Type.Optional(
      Type.String({
        maxLength: 4000,
        description: 'what is wrong on the kernel that fails, and why',
      }),
    ),
    end: Type.Optional(
      Type.Array(ref(EndValueSchema), {
        maxItems: 64,
        description: 'the fields that are wrong at the end on the kernel that fails',
      }),
    ),
  },
  {
    $id: 'KernelDifference',
    additionalProperties: false,
    description:
      'the shortest schedule that violates an invariant on one kernel and none on the other',
    examples: [
      {
        kernel: 'linux-7.2.6',
        other: 'linux-6.12.117',
        steps: 1,
        schedule: ['k0_irq_off (v0 runs)'],
        msrs_part_at: null,
        msrs_part: null,
        property: 'I1',
        summary: 'PMC0 is stuck in IA32_PEBS_ENABLE: the NMI (step 1) wrote PMC0.',
        end: [],
      },
    ],
  },
);

export type KernelDifference = Static<typeof KernelDifferenceSchema>;

export const ExplorationSchema = Type.Object(
  {
    id: ref(ExplorationIdSchema),
    state: oneOf(['queued', 'running', 'succeeded', 'failed', 'cancelled'], {
      description: 'the state of the work',
    }),
    attempts: count(
      'how many times a worker has started it; after a crash the search restarts from the beginning, and after three crashes it fails',
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

export const ExplorationPageSchema = pageOf(
  'ExplorationPage',
  ExplorationSchema,
  'a page of explorations',
);
