/** Pools of real machines, and the machines in them. */
import { type Static, Type } from 'typebox';
import { FIX_STATES, OBSERVED_PATHS } from '../src/observations/vocabulary.js';
import {
  count,
  defaulted,
  nullable,
  oneOf,
  pageOf,
  prose,
  ref,
  SlugSchema,
  STORABLE_TEXT,
  TimestampSchema,
} from './common.js';
import { PlatformClassSchema } from './cpu-model.js';
import { IdentityRequestSchema, IdentitySchema } from './identify.js';

/** Per service and per pool. */
export const POOLS_MAX = 100;
export const MACHINES_MAX = 1000;
export const LABELS_MAX = 32;

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,62}';

export const PoolNameSchema = Type.String({
  $id: 'PoolName',
  pattern: `^${NAME}$`,
  minLength: 1,
  maxLength: 63,
  description: 'the name of a pool: 1 to 63 letters, digits, dots, underscores or dashes',
  examples: ['lab-a'],
});

export const MachineNameSchema = Type.String({
  $id: 'MachineName',
  pattern: `^${NAME}$`,
  minLength: 1,
  maxLength: 63,
  description:
    'the name of a machine in its pool: 1 to 63 letters, digits, dots, underscores or dashes',
  examples: ['host-17'],
});

export const LabelsSchema = Type.Array(
  Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:=/-]{0,62}$', minLength: 1, maxLength: 63 }),
  {
    $id: 'Labels',
    maxItems: LABELS_MAX,
    uniqueItems: true,
    description: `what a machine has, in words of your own: at most ${LABELS_MAX}`,
    examples: [['kvm', 'site=prague']],
  },
);

export const PoolParamsSchema = Type.Object(
  { pool: ref(PoolNameSchema) },
  {
    $id: 'PoolParams',
    additionalProperties: false,
    description: 'the pool',
    examples: [{ pool: 'lab-a' }],
  },
);

export const MachineParamsSchema = Type.Object(
  { pool: ref(PoolNameSchema), machine: ref(MachineNameSchema) },
  {
    $id: 'MachineParams',
    additionalProperties: false,
    description: 'a machine of a pool',
    examples: [{ pool: 'lab-a', machine: 'host-17' }],
  },
);

const title = prose('what people call it', {
  pattern: STORABLE_TEXT,
  maxLength: 200,
  examples: ['Lab A, rack 3'],
});

export const PoolRequestSchema = Type.Object(
  {
    title: Type.Optional(title),
    lease_seconds: defaulted(
      Type.Integer({
        minimum: 10,
        maximum: 3600,
        default: 300,
        description: 'how long a lease lasts that is not renewed',
        examples: [300],
      }),
    ),
    draining: defaulted(
      Type.Boolean({
        default: false,
        description: 'whether its machines only finish what they hold',
      }),
    ),
  },
  {
    $id: 'PoolRequest',
    additionalProperties: false,
    description: 'a pool',
    examples: [{ title: 'Lab A, rack 3', lease_seconds: 300, draining: false }],
  },
);
export type PoolRequest = Static<typeof PoolRequestSchema>;

export const RunCountsSchema = Type.Object(
  {
    queued: count('that wait'),
    leased: count('that a machine holds'),
    fail: count('that ended, and the code failed'),
    error: count('that ended, and the lab failed'),
    pass: count('that ended, and the code passed'),
    skip: count('that ended, and there was nothing to judge'),
    cancelled: count('that were cancelled'),
  },
  {
    $id: 'RunCounts',
    additionalProperties: false,
    description: 'runs by state, those that ended by verdict',
    examples: [{ queued: 3, leased: 1, fail: 0, error: 0, pass: 4, skip: 0, cancelled: 0 }],
  },
);

const POOL = {
  name: ref(PoolNameSchema),
  title: Type.Optional(title),
  lease_seconds: Type.Integer({
    minimum: 10,
    maximum: 3600,
    description: 'how long a lease lasts',
  }),
  beat_seconds: Type.Integer({
    minimum: 2,
    maximum: 720,
    description: 'how often its holder should renew it',
  }),
  draining: Type.Boolean({ description: 'whether its machines only finish what they hold' }),
  created_at: ref(TimestampSchema),
} as const;

const EXAMPLE_POOL = {
  name: 'lab-a',
  lease_seconds: 300,
  beat_seconds: 60,
  draining: false,
  created_at: '2026-11-27T12:00:00.000Z',
} as const;

export const PoolSummarySchema = Type.Object(POOL, {
  $id: 'PoolSummary',
  additionalProperties: false,
  description: 'a pool',
  examples: [EXAMPLE_POOL],
});
export type PoolSummary = Static<typeof PoolSummarySchema>;

const HELD = {
  lease: Type.String({ minLength: 1, maxLength: 40, description: 'the lease it holds' }),
  expires_at: ref(TimestampSchema),
} as const;

const seenAt = Type.Optional(ref(TimestampSchema, 'when it last asked for something'));

export const PoolMachineSchema = Type.Object(
  {
    name: ref(MachineNameSchema),
    labels: ref(LabelsSchema),
    seen_at: seenAt,
    lease: Type.Optional(HELD.lease),
    kernel: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'the release that it runs' }),
    ),
    cpu_model: nullable(ref(SlugSchema), 'of the catalogue; null if not known'),
    platform_class: nullable(ref(PlatformClassSchema), 'on its kernel; null if not known'),
    fix_state: oneOf(FIX_STATES, { description: 'which of the fixes its kernel has' }),
    predicted_path: oneOf(OBSERVED_PATHS, { description: 'what the model says of it' }),
    observations: count('how many texts it has sent'),
    shown_autoload: count('in how many IA32_PEBS_ENABLE was loaded from the MSR-load areas'),
    shown_none: count('in how many it was shown not to be'),
    shown_stuck: count('in how many a bit was stuck, for good or for a while'),
  },
  {
    $id: 'PoolMachine',
    additionalProperties: false,
    description: 'a machine on the page of its pool: what is expected of it, and what it showed',
    examples: [
      {
        name: 'host-17',
        labels: ['kvm'],
        kernel: '6.12.90',
        cpu_model: 'emerald-rapids',
        platform_class: 'K3',
        fix_state: 'unfixed',
        predicted_path: 'autoload',
        observations: 4,
        shown_autoload: 1,
        shown_none: 0,
        shown_stuck: 1,
      },
    ],
  },
);
export type PoolMachine = Static<typeof PoolMachineSchema>;

export const DisagreementSchema = Type.Object(
  {
    machine: ref(MachineNameSchema),
    kind: oneOf(['never_autoload', 'unexpected_autoload', 'unexpected_stuck'], {
      description:
        'never_autoload: the model says autoload, and the register was shown not to be in the areas; unexpected_autoload: the model says none, and it was in them; unexpected_stuck: a bit was stuck where the model says none',
    }),
    text: prose('the same in words'),
  },
  {
    $id: 'Disagreement',
    additionalProperties: false,
    description: 'a machine that does not do what the model says of it',
    examples: [
      {
        machine: 'host-17',
        kind: 'unexpected_stuck',
        text: 'The model says that host-17 does not load IA32_PEBS_ENABLE, and 1 of 4 texts shows a stuck bit.',
      },
    ],
  },
);
export type Disagreement = Static<typeof DisagreementSchema>;

export const PoolSchema = Type.Object(
  {
    ...POOL,
    machines: Type.Array(ref(PoolMachineSchema), {
      maxItems: MACHINES_MAX,
      description: 'its machines, in the order in which they came',
    }),
    runs: ref(RunCountsSchema),
    disagreements: Type.Array(ref(DisagreementSchema), {
      maxItems: 2 * MACHINES_MAX,
      description: 'what does not fit the model',
    }),
  },
  {
    $id: 'Pool',
    additionalProperties: false,
    description: 'the page of a pool',
    examples: [
      {
        ...EXAMPLE_POOL,
        machines: [],
        runs: { queued: 3, leased: 1, fail: 0, error: 0, pass: 4, skip: 0, cancelled: 0 },
        disagreements: [],
      },
    ],
  },
);
export type Pool = Static<typeof PoolSchema>;

export const PoolPageSchema = pageOf('PoolPage', PoolSummarySchema, 'a page of pools');

export const MachineRequestSchema = Type.Object(
  { ...IdentityRequestSchema.properties, labels: Type.Optional(ref(LabelsSchema)) },
  {
    $id: 'MachineRequest',
    additionalProperties: false,
    description: 'a machine: what `POST /v1/identify` takes, and labels',
    examples: [
      { family: 6, model: '0xcf', stepping: 2, kernel: '6.12.90', labels: ['kvm'] },
      { uname: 'Linux host-17 6.12.90 #1 SMP x86_64 GNU/Linux' },
    ],
  },
);
export type MachineRequest = Static<typeof MachineRequestSchema>;

export const MachineSchema = Type.Object(
  {
    pool: ref(PoolNameSchema),
    name: ref(MachineNameSchema),
    labels: ref(LabelsSchema),
    facts: Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 200 }), {
      maxProperties: 32,
      description: 'what was said of it, by name',
    }),
    identity: nullable(ref(IdentitySchema), 'what follows from it; null where nothing was said'),
    created_at: ref(TimestampSchema),
    seen_at: seenAt,
    lease: Type.Optional(HELD.lease),
    lease_expires_at: Type.Optional(HELD.expires_at),
  },
  {
    $id: 'Machine',
    additionalProperties: false,
    description: 'a machine of a pool',
    examples: [
      {
        pool: 'lab-a',
        name: 'host-17',
        labels: ['kvm'],
        facts: { kernel_release: '6.12.90' },
        identity: null,
        created_at: '2026-11-27T12:00:00.000Z',
      },
    ],
  },
);
export type Machine = Static<typeof MachineSchema>;

export const MachinePageSchema = pageOf(
  'MachinePage',
  MachineSchema,
  'a page of the machines of a pool',
);
