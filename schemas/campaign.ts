/** Campaigns: seeded random walks over kernels, CPU models and scenarios, far beyond what a search can exhaust. */

import { type Static, Type } from 'typebox';
import { CELLS_MAX } from '../src/model/vocabulary.js';
import {
  count,
  defaulted,
  NameSchema,
  oneOf,
  pageOf,
  prose,
  ref,
  SlugSchema,
  TimestampSchema,
} from './common.js';
import { propertyId } from './exploration.js';
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
    description: 'which campaign is meant',
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
      'scenarios that can be explored, by id or world, with the CPU model and kernel of each cell; one world named twice counts once',
    ),
  },
  {
    $id: 'CampaignMatrix',
    additionalProperties: false,
    description: `each kernel on each CPU model in each scenario is a cell, ${CELLS_MAX} at most`,
    examples: [
      {
        kernels: ['linux-7.2.6', 'linux-6.12.117'],
        cpu_models: ['emerald-rapids'],
        scenarios: ['main-race-late'],
      },
    ],
  },
);

const walks = { minimum: 1, maximum: 1_000_000, description: 'how many walks each cell gets' };
const stepsPerWalk = { minimum: 1, maximum: 100_000, description: 'how long a walk may become' };
const seed = {
  minimum: 0,
  maximum: 4_294_967_295,
  description: 'names the walks: the same seed gives the same results',
};
const BUDGETS = ['unlimited', 'scenario'] as const;
const budgets = {
  description:
    'unlimited: every actor of the scenario acts as often as it likes; scenario: as often as its budget says',
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
    description:
      'what to walk through; the cells times walks times steps_per_walk may be 1e12 at most',
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
    total: count('walks to take; cells that are skipped have none'),
    unit: oneOf(['walks'], { description: 'what is counted' }),
    rate_per_second: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1e12, description: 'lately' }),
    ),
  },
  {
    $id: 'CampaignProgress',
    additionalProperties: false,
    description: 'how far a campaign has come',
    examples: [{ done: 12_000, total: 20_000, unit: 'walks', rate_per_second: 1500 }],
  },
);

export const CampaignStateSchema = oneOf(
  ['queued', 'running', 'succeeded', 'failed', 'cancelled'],
  {
    $id: 'CampaignState',
    description: 'how the work stands or ended',
    examples: ['running'],
  },
);
export type CampaignState = Static<typeof CampaignStateSchema>;

export const CampaignVerdictSchema = oneOf(['violated', 'undecided'], {
  $id: 'CampaignVerdict',
  description:
    'violated: some walk violated an invariant; undecided: none did, which proves nothing',
  examples: ['violated'],
});
export type CampaignVerdict = Static<typeof CampaignVerdictSchema>;

export const CampaignSchema = Type.Object(
  {
    id: ref(CampaignIdSchema),
    name: Type.Optional(ref(NameSchema)),
    state: ref(CampaignStateSchema),
    verdict: ref(CampaignVerdictSchema, 'as far as it has come'),
    progress: ref(CampaignProgressSchema),
    created_at: ref(TimestampSchema),
    finished_at: Type.Optional(ref(TimestampSchema)),
    matrix: ref(CampaignMatrixSchema),
    walks: Type.Integer(walks),
    steps_per_walk: Type.Integer(stepsPerWalk),
    seed: Type.Integer(seed),
    budgets: oneOf(BUDGETS, budgets),
    cells: count('how many cells the matrix has'),
    violated_cells: count('in how many an invariant was violated so far'),
    skipped_cells: count('how many have no world to walk through'),
    error: Type.Optional(prose('why the work failed')),
  },
  {
    $id: 'Campaign',
    additionalProperties: false,
    description: 'random walks over a matrix, and how far they have come',
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

export const CampaignPageSchema = pageOf('CampaignPage', CampaignSchema, 'a page of campaigns');

export const CampaignViolationSchema = Type.Object(
  {
    walk: count('the number of the walk, from 0: with the seed it names the walk'),
    walk_steps: count('the steps of the walk until the violation'),
    steps: count('the steps that are left of them when it is shrunk'),
    path: Type.String({ maxLength: 400_000, description: 'the shrunk walk: 0/3/1' }),
    host: ref(HostCreateSchema, 'the host to replay it on: POST /v1/hosts'),
    script: Type.Optional(
      Type.Array(ref(ScriptActionSchema), {
        maxItems: 1000,
        description:
          'the actions: POST /v1/hosts/{host}/scripts; left out where it would take more than 1000',
      }),
    ),
  },
  {
    $id: 'CampaignViolation',
    additionalProperties: false,
    description: 'the first walk that violates an invariant, shrunk',
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
    violated_walks: count('how many walks violated it'),
    rate: rate('violated walks by walks'),
    rate_low: rate('lower end of the 95 % confidence interval (Wilson)'),
    rate_high: rate('upper end of the 95 % confidence interval (Wilson)'),
    first: Type.Optional(
      ref(CampaignViolationSchema, 'there once the cell is done and its first walk was shrunk'),
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
        'violated: some walk violated an invariant; clean: all walks were taken and none did; skipped: there is no such world; incomplete: some walks were not taken, and none of the others violated anything',
    }),
    reason: Type.Optional(prose('why it is skipped')),
    walks: count('walks taken'),
    steps: count('steps taken; a walk that has violated every invariant ends there'),
    properties: Type.Array(ref(CampaignPropertySchema), {
      maxItems: 24,
      description: 'the invariants of the scenario; none where the cell is skipped',
    }),
  },
  {
    $id: 'CampaignCell',
    additionalProperties: false,
    description: 'what the walks of a kernel on a CPU model in a scenario found',
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
    description: 'the results of a campaign, which depend on the request and nothing else',
    examples: [
      { id: 'camp_1a', state: 'running', seed: 1, walks: 1000, steps_per_walk: 1000, cells: [] },
    ],
  },
);
export type CampaignResults = Static<typeof CampaignResultsSchema>;

export const CampaignTextSchema = Type.String({
  $id: 'CampaignText',
  maxLength: 10_000_000,
  description: 'the same as CSV, JUnit XML or KTAP',
  examples: ['KTAP version 1\n1..0\n'],
});

export const CampaignResultsQuerySchema = Type.Object(
  {
    format: Type.Optional(
      oneOf(['json', 'csv', 'junit', 'ktap'], {
        description: 'instead of the Accept header, for clients that cannot set it',
      }),
    ),
  },
  {
    $id: 'CampaignResultsQuery',
    additionalProperties: false,
    description: 'in which format',
    examples: [{ format: 'ktap' }],
  },
);
