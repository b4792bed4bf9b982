/** Campaigns: seeded random walks over kernels, CPU models and scenarios, for worlds too large for a search. */

import { type Static, Type } from 'typebox';
import { CELLS_MAX } from '../src/model/vocabulary.js';
import {
  count,
  defaulted,
  LIST_QUERY,
  NameSchema,
  oneOf,
  pageOf,
  prose,
  ref,
  SecondsLeftSchema,
  SlugSchema,
  TimestampSchema,
} from './common.js';
import { propertyId } from './exploration-request.js';
import { HostCreateSchema } from './host.js';
import { ScriptActionSchema } from './script.js';

export const CampaignIdSchema = Type.String({
  $id: 'CampaignId',
  pattern: '^camp_[0-9a-z]{1,26}$',
  minLength: 6,
  maxLength: 31,
  description: 'the id of a campaign',
  examples: ['camp_1a'],
});

export const CampaignParamsSchema = Type.Object(
  { campaign: ref(CampaignIdSchema) },
  {
    $id: 'CampaignParams',
    additionalProperties: false,
    description: 'the campaign',
    examples: [{ campaign: 'camp_1a' }],
  },
);

const slugs = (maxItems: number, description: string) =>
  Type.Array(ref(SlugSchema), { minItems: 1, maxItems, uniqueItems: true, description });

export const CampaignMatrixSchema = Type.Object(
  {
    kernels: slugs(64, 'the kernels'),
    cpu_models: slugs(20, 'the CPU models'),
    scenarios: slugs(
      50,
      'scenarios that can be explored, by id or world; each cell uses its own CPU model and kernel, and duplicates of a world count once',
    ),
  },
  {
    $id: 'CampaignMatrix',
    additionalProperties: false,
    description: `each combination of kernel, CPU model and scenario is a cell; at most ${CELLS_MAX}`,
    examples: [
      {
        kernels: ['linux-7.2.6', 'linux-6.12.117'],
        cpu_models: ['emerald-rapids'],
        scenarios: ['main-race-late'],
      },
    ],
  },
);

const walks = { minimum: 1, maximum: 1_000_000, description: 'walks per cell' };
const stepsPerWalk = { minimum: 1, maximum: 100_000, description: 'the maximum length of a walk' };
const seed = {
  minimum: 0,
  maximum: 4_294_967_295,
  description: 'selects the walks: the same seed gives the same results',
};
const BUDGETS = ['unlimited', 'scenario'] as const;
const budgets = {
  description:
    'unlimited: every actor may act any number of times; scenario: as often as its budget allows',
};

export const CampaignRequestSchema = Type.Object(
  {
    name: Type.Optional(ref(NameSchema)),
    matrix: ref(CampaignMatrixSchema),
    walks: Type.Integer(walks),
    steps_per_walk: Type.Integer(stepsPerWalk),
    seed: defaulted(Type.Integer({ ...seed, default: 1 })),
    budgets: defaulted(oneOf(BUDGETS, { ...budgets, default: 'unlimited' })),
  },
  {
    $id: 'CampaignRequest',
    additionalProperties: false,
    description: 'a matrix to walk; cells × walks × steps_per_walk may be at most 1e12',
    examples: [
      {
        name: 'nightly',
        matrix: {
          kernels: ['linux-7.2.6', 'linux-6.12.117'],
          cpu_models: ['emerald-rapids', 'haswell-x'],
          scenarios: ['main-race-late'],
        },
        walks: 10_000,
        steps_per_walk: 1000,
        seed: 42,
        budgets: 'unlimited',
      },
    ],
  },
);
export type CampaignRequest = Static<typeof CampaignRequestSchema>;

export const CampaignProgressSchema = Type.Object(
  {
    done: count('walks taken'),
    total: count('walks to take; skipped cells have none'),
    unit: oneOf(['walks'], { description: 'the unit of done and total' }),
    rate_per_second: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1e12, description: 'the current rate' }),
    ),
    seconds_left: Type.Optional(ref(SecondsLeftSchema)),
  },
  {
    $id: 'CampaignProgress',
    additionalProperties: false,
    description: 'the progress of a campaign',
    examples: [{ done: 12_000, total: 20_000, unit: 'walks', rate_per_second: 1500 }],
  },
);

export const CampaignStateSchema = oneOf(
  ['queued', 'running', 'succeeded', 'failed', 'cancelled'],
  {
    $id: 'CampaignState',
    description: 'the state of the work',
    examples: ['running'],
  },
);
export type CampaignState = Static<typeof CampaignStateSchema>;

export const CampaignVerdictSchema = oneOf(['violated', 'undecided'], {
  $id: 'CampaignVerdict',
  description:
    'violated: at least one walk violated an invariant; undecided: none did, which proves nothing',
  examples: ['violated'],
});
export type CampaignVerdict = Static<typeof CampaignVerdictSchema>;

export const CampaignSchema = Type.Object(
  {
    id: ref(CampaignIdSchema),
    name: Type.Optional(ref(NameSchema)),
    state: ref(CampaignStateSchema),
    verdict: ref(CampaignVerdictSchema, 'so far'),
    progress: ref(CampaignProgressSchema),
    created_at: ref(TimestampSchema),
    finished_at: Type.Optional(ref(TimestampSchema)),
    matrix: ref(CampaignMatrixSchema),
    walks: Type.Integer(walks),
    steps_per_walk: Type.Integer(stepsPerWalk),
    seed: Type.Integer(seed),
    budgets: oneOf(BUDGETS, budgets),
    cells: count('number of cells'),
    violated_cells: count('number of cells with at least one violation so far'),
    skipped_cells: count('number of cells without a world to walk'),
    error: Type.Optional(prose('why the work failed')),
  },
  {
    $id: 'Campaign',
    additionalProperties: false,
    description: 'random walks over a matrix, and their progress',
    examples: [
      {
        id: 'camp_1a',
        state: 'queued',
        verdict: 'undecided',
        progress: { done: 0, total: 10_000, unit: 'walks' },
        created_at: '2026-11-23T12:00:00.000Z',
        matrix: {
          kernels: ['linux-7.2.6'],
          cpu_models: ['emerald-rapids'],
          scenarios: ['main-race-late'],
        },
        walks: 10_000,
        steps_per_walk: 1000,
        seed: 1,
        budgets: 'unlimited',
        cells: 1,
        violated_cells: 0,
        skipped_cells: 0,
      },
    ],
  },
);
export type Campaign = Static<typeof CampaignSchema>;

export const CampaignQuerySchema = Type.Object(
  {
    ...LIST_QUERY,
    state: Type.Optional(ref(CampaignStateSchema, 'only those in this state')),
    verdict: Type.Optional(ref(CampaignVerdictSchema, 'only those with this verdict so far')),
    name: Type.Optional(ref(NameSchema, 'only those of this name')),
  },
  {
    $id: 'CampaignQuery',
    additionalProperties: false,
    description: 'which campaigns are listed, and how',
    examples: [{ limit: 50, sort: 'newest', state: 'succeeded', name: 'nightly' }],
  },
);

export const CampaignPageSchema = pageOf('CampaignPage', CampaignSchema, 'a page of campaigns');

export const CampaignViolationSchema = Type.Object(
  {
    walk: count('the number of the walk, from 0; with the seed it identifies the walk'),
    walk_steps: count('steps of the walk until the violation'),
    steps: count('steps left after shrinking'),
    path: Type.String({ maxLength: 400_000, description: 'the shrunk walk, as in 0/3/1' }),
    host: ref(HostCreateSchema, 'the host to replay it on: POST /v1/hosts'),
    script: Type.Optional(
      Type.Array(ref(ScriptActionSchema), {
        maxItems: 1000,
        description:
          'the actions: POST /v1/hosts/{host}/scripts; absent if there would be more than 1000',
      }),
    ),
  },
  {
    $id: 'CampaignViolation',
    additionalProperties: false,
    description: 'the first walk that violates the invariant, shrunk',
    examples: [
      {
        walk: 3,
        walk_steps: 61,
        steps: 1,
        path: '0',
        host: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' },
        script: [],
      },
    ],
  },
);
export type CampaignViolation = Static<typeof CampaignViolationSchema>;

const rate = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });

export const CampaignPropertySchema = Type.Object(
  {
    id: propertyId,
    violated_walks: count('number of walks that violated it'),
    rate: rate('violated_walks / walks'),
    rate_low: rate('lower end of the 95 % confidence interval (Wilson)'),
    rate_high: rate('upper end of the 95 % confidence interval (Wilson)'),
    first: Type.Optional(
      ref(
        CampaignViolationSchema,
        'present once the cell is done and its first violating walk is shrunk',
      ),
    ),
  },
  {
    $id: 'CampaignProperty',
    additionalProperties: false,
    description: 'how often an invariant was violated',
    examples: [{ id: 'I1', violated_walks: 0, rate: 0, rate_low: 0, rate_high: 0.0038 }],
  },
);
export type CampaignProperty = Static<typeof CampaignPropertySchema>;

export const CampaignCellSchema = Type.Object(
  {
    kernel: ref(SlugSchema),
    cpu_model: ref(SlugSchema),
    scenario: ref(SlugSchema, 'the world of the scenario'),
    status: oneOf(['violated', 'clean', 'skipped', 'incomplete'], {
      description:
        'violated: at least one walk violated an invariant; clean: all walks were taken and none did; skipped: there is no such world; incomplete: not all walks were taken, and none of them violated an invariant',
    }),
    reason: Type.Optional(prose('why it was skipped')),
    walks: count('walks taken'),
    steps: count('steps taken; a walk ends once it has violated every invariant'),
    properties: Type.Array(ref(CampaignPropertySchema), {
      maxItems: 24,
      description: 'the invariants of the scenario; empty if the cell is skipped',
    }),
  },
  {
    $id: 'CampaignCell',
    additionalProperties: false,
    description: 'the results of a kernel on a CPU model in a scenario',
    examples: [
      {
        kernel: 'linux-6.12.117',
        cpu_model: 'emerald-rapids',
        scenario: 'main-race-late',
        status: 'clean',
        walks: 1000,
        steps: 1_000_000,
        properties: [{ id: 'I1', violated_walks: 0, rate: 0, rate_low: 0, rate_high: 0.0038 }],
      },
    ],
  },
);
export type CampaignCell = Static<typeof CampaignCellSchema>;

export const CampaignResultsSchema = Type.Object(
  {
    id: ref(CampaignIdSchema),
    name: Type.Optional(ref(NameSchema)),
    state: ref(CampaignStateSchema),
    seed: Type.Integer(seed),
    walks: Type.Integer(walks),
    steps_per_walk: Type.Integer(stepsPerWalk),
    cells: Type.Array(ref(CampaignCellSchema), {
      maxItems: CELLS_MAX,
      description: 'by kernel, then CPU model, then scenario, in the order of the request',
    }),
  },
  {
    $id: 'CampaignResults',
    additionalProperties: false,
    description: 'the results of a campaign; they depend only on the request',
    examples: [
      { id: 'camp_1a', state: 'running', seed: 1, walks: 1000, steps_per_walk: 1000, cells: [] },
    ],
  },
);
export type CampaignResults = Static<typeof CampaignResultsSchema>;

export const CampaignTextSchema = Type.String({
  $id: 'CampaignText',
  maxLength: 10_000_000,
  description: 'the same as CSV, JUnit XML, KTAP or KCIDB',
  examples: ['KTAP version 1\n1..0\n'],
});

export const CampaignResultsQuerySchema = Type.Object(
  {
    format: Type.Optional(
      oneOf(['json', 'csv', 'junit', 'ktap', 'kcidb'], {
        description: 'instead of the Accept header, for clients that cannot set it',
      }),
    ),
  },
  {
    $id: 'CampaignResultsQuery',
    additionalProperties: false,
    description: 'the format of the results',
    examples: [{ format: 'ktap' }],
  },
);
