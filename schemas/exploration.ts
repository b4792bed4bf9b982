/** Explorations: searches of every interleaving, and what they found. */
import { type Static, Type } from 'typebox';
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
    description: 'which exploration is meant',
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
          'time of searching, 60 when left out; assumptions and the other kernel together may take as long again',
      }),
    ),
    megabytes: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 16_384,
        description:
          'memory of states, 2048 when left out; never more than the share that the service has for a search (SEARCH_MEGABYTES: by default half of the memory of its machine or control group, divided by how many searches run at once): asking for more is refused',
      }),
    ),
    nmis: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 15,
        description: 'how many throttling NMIs; the budget of that actor where it has none',
      }),
    ),
  },
  {
    $id: 'ExplorationBounds',
    additionalProperties: false,
    description: 'where a search stops; reaching one makes the verdict undecided',
    examples: [{ seconds: 30, states: 5_000_000 }],
  },
);

/** Properties are invariants, and marks: states that should be reached. */
export const propertyId = Type.String({
  minLength: 2,
  maxLength: 40,
  pattern: "^[A-Za-z0-9_']+$",
  description: 'an invariant, or a mark such as guest_entered',
});

export const ExplorationRequestSchema = Type.Object(
  {
    scenario: Type.Optional(ref(SlugSchema, 'a scenario of the catalogue that has a model')),
    model: Type.Optional(ref(ExplorationModelSchema)),
    compare_with: Type.Optional(
      ref(SlugSchema, 'another kernel, explored beside this one on the same schedules'),
    ),
    properties: Type.Optional(
      Type.Array(propertyId, {
        minItems: 1,
        maxItems: 24,
        uniqueItems: true,
        description: 'what to check; I1, I2, I3 and all marks when left out',
      }),
    ),
    strategy: Type.Optional(
      oneOf(['bfs', 'dfs', 'random'], {
        description: 'bfs finds the shortest counterexamples and is the default',
      }),
    ),
    seed: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 4_294_967_295, description: 'of random walks' }),
    ),
    walks: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'how many random walks' }),
    ),
    bounds: Type.Optional(ref(ExplorationBoundsSchema)),
    workers: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 8,
        description: 'worker threads of a bfs; no more are started than the machine has cores',
      }),
    ),
    fold: Type.Optional(
      Type.Boolean({
        description:
          'search one of each class of symmetric states, where that is sound; default true for a model, false for a scenario',
      }),
    ),
    stop_at_first: Type.Optional(
      Type.Boolean({ description: 'end with the level of the first violation' }),
    ),
    assumptions: Type.Optional(
      Type.Boolean({
        description:
          'find out which parts of the world a violation needs, by dropping each and all but one of each kind, and the smallest world that still has one',
      }),
    ),
  },
  {
    $id: 'ExplorationRequest',
    additionalProperties: false,
    oneOf: [{ required: ['scenario'] }, { required: ['model'] }],
    description: 'a world to search, by name or spelt out',
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
    unit: oneOf(['states'], { description: 'what is counted' }),
    rate_per_second: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1e12, description: 'lately' }),
    ),
    depth: Type.Optional(count('the level being searched')),
    frontier: Type.Optional(count('states found and not yet expanded')),
    megabytes: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9, description: 'of states' })),
    seconds_left: Type.Optional(
      Type.Array(Type.Number({ minimum: 0, maximum: 1e12 }), {
        minItems: 3,
        maxItems: 3,
        description: 'an estimate: low, likely, high; absent while unknown',
      }),
    ),
  },
  {
    $id: 'Progress',
    additionalProperties: false,
    description: 'how far a search has come',
    examples: [{ done: 120000, unit: 'states', rate_per_second: 900000 }],
  },
);

export const CounterexampleLinkSchema = Type.Object(
  {
    id: Type.String({ minLength: 3, maxLength: 44, description: 'its id' }),
    path: Type.String({ maxLength: 400_000, description: 'indices of successors: 0/3/1' }),
    steps: count('how many steps it has'),
    symmetric: count('how many violating states it stands for'),
    paths: nullable(count('how many shortest paths lead to them'), 'null when too many to count'),
  },
  {
    $id: 'CounterexampleLink',
    additionalProperties: false,
    description: 'a counterexample, one for each class of symmetric ones',
    examples: [{ id: 'I1-0', path: '0/3/1', steps: 3, symmetric: 1, paths: 1 }],
  },
);

export const PropertyOutcomeSchema = Type.Object(
  {
    id: propertyId,
    kind: oneOf(['always', 'sometimes'], {
      description: 'must be true everywhere, or should be reached somewhere',
    }),
    verdict: ref(VerdictSchema),
    states: count('how many states violate or witness it'),
    counterexample: Type.Optional(ref(CounterexampleLinkSchema, 'the first shortest one')),
    counterexamples: Type.Array(ref(CounterexampleLinkSchema), {
      maxItems: 64,
      description: 'the shortest ones, up to symmetry',
    }),
    minimal: Type.Optional(
      Type.Boolean({ description: 'every shallower level was searched in full' }),
    ),
  },
  {
    $id: 'PropertyOutcome',
    additionalProperties: false,
    description: 'what became of a property',
    examples: [{ id: 'I1', kind: 'always', verdict: 'holds', states: 0, counterexamples: [] }],
  },
);

export const AssumptionSchema = Type.Object(
  {
    assumption: prose('what was dropped'),
    needed: Type.Boolean({ description: 'without it nothing is violated any more' }),
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
    kernel: ref(SlugSchema, 'the kernel on which an invariant fails'),
    other: ref(SlugSchema, 'the one on which none does'),
    steps: count('length of the shortest schedule that tells them apart'),
    schedule: Type.Array(prose('a step of both'), { maxItems: 10_000, description: 'in order' }),
    msrs_part_at: nullable(
      prose('the first step after which the registers differ'),
      'null when they never do',
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
    description: 'the shortest schedule on which one kernel fails and another holds',
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
      description: 'how the work stands or ended',
    }),
    attempts: count(
      'how often a worker has taken it up; after a crash the search starts again from its beginning, and after three crashes it is failed',
    ),
    progress: ref(ProgressSchema),
    created_at: ref(TimestampSchema),
    finished_at: Type.Optional(ref(TimestampSchema)),
    scenario: Type.Optional(ref(SlugSchema)),
    model: ref(ExplorationModelSchema, 'the world that is searched'),
    compare_with: Type.Optional(ref(SlugSchema)),
    verdict: Type.Optional(ref(VerdictSchema, 'the worst of its properties')),
    complete: Type.Optional(Type.Boolean({ description: 'every reachable state was seen' })),
    cut: nullable(prose('the bound that ended the search'), 'null when none did'),
    distinct_states: nullable(count('states seen'), 'null for random walks'),
    total_states: count('transitions taken'),
    depth: count('steps to the deepest state'),
    bytes_per_state: Type.Number({ minimum: 0, maximum: 1e9, description: 'memory of a state' }),
    states_per_second: Type.Number({ minimum: 0, maximum: 1e12, description: 'over the search' }),
    folded: Type.Array(prose('what was folded'), {
      maxItems: 8,
      description: 'which symmetric parts were searched once',
    }),
    properties: Type.Array(ref(PropertyOutcomeSchema), { maxItems: 24, description: 'in order' }),
    assumptions: Type.Optional(
      Type.Array(ref(AssumptionSchema), { maxItems: 40, description: 'what the violation needs' }),
    ),
    smallest_world: Type.Optional(ref(SmallestWorldSchema)),
    difference: Type.Optional(
      nullable(ref(KernelDifferenceSchema), 'null when no schedule tells the kernels apart'),
    ),
    error: Type.Optional(prose('why the work failed')),
  },
  {
    $id: 'Exploration',
    additionalProperties: false,
    description: 'a search and what it found',
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
