/** Pool jobs: what machines of a pool are to run, and the result of each copy. */
import { type Static, Type } from 'typebox';
import { FIX_STATES } from '../src/observations/vocabulary.js';
import { ATTEMPT_STATES, RUN_RESULTS, RUN_STATES } from '../src/store/vocabulary.js';
import {
  defaulted,
  nullable,
  oneOf,
  PageQuerySchema,
  pageOf,
  ref,
  SlugSchema,
  STORABLE_TEXT,
  TimestampSchema,
} from './common.js';
import { CounterexampleParamsSchema } from './counterexample.js';
import { PlatformClassSchema } from './cpu-model.js';
import { LabelsSchema, MachineNameSchema, PoolNameSchema, RunCountsSchema } from './pool.js';

export const COPIES_MAX = 1000;
const SCRIPT_LENGTH_MAX = 65_536;

export const PoolJobIdSchema = Type.String({
  $id: 'PoolJobId',
  pattern: '^job_[0-9a-z]{1,26}$',
  minLength: 5,
  maxLength: 30,
  description: 'the id of a pool job',
  examples: ['job_1a'],
});

export const RunIdSchema = Type.String({
  $id: 'RunId',
  pattern: '^run_[0-9a-z]{1,26}$',
  minLength: 5,
  maxLength: 30,
  description: 'the id of a run',
  examples: ['run_1a'],
});

export const LeaseIdSchema = Type.String({
  $id: 'LeaseId',
  pattern: '^lease_[0-9a-z]{1,26}$',
  minLength: 7,
  maxLength: 32,
  description: 'the id of the lease of a run: the same for every attempt at it',
  examples: ['lease_1a'],
});

export const FencingTokenSchema = Type.Integer({
  $id: 'FencingToken',
  minimum: 1,
  maximum: 1000,
  description:
    'which attempt at its run a lease is: it grows, so that who was given up for dead is known',
  examples: [1],
});

export const PoolJobParamsSchema = Type.Object(
  { job: ref(PoolJobIdSchema) },
  {
    $id: 'PoolJobParams',
    additionalProperties: false,
    description: 'the pool job',
    examples: [{ job: 'job_1a' }],
  },
);

export const RequirementsSchema = Type.Object(
  {
    platform_class: Type.Optional(ref(PlatformClassSchema)),
    cpu_model: Type.Optional(ref(SlugSchema, 'a CPU model of the catalogue')),
    fix_state: Type.Optional(oneOf(FIX_STATES, { description: 'which fixes the kernel has' })),
    machine: Type.Optional(ref(MachineNameSchema)),
    labels: Type.Optional(ref(LabelsSchema, 'all of them')),
  },
  {
    $id: 'Requirements',
    additionalProperties: false,
    description:
      'which machines it is for; one of which a fact is not known does not meet a requirement of it',
    examples: [{ platform_class: 'K3', labels: ['kvm'] }],
  },
);

export type Requirements = Static<typeof RequirementsSchema>;

export const PoolTaskSchema = Type.Object(
  {
    scenario: Type.Optional(ref(SlugSchema, 'a scenario of the catalogue')),
    counterexample: Type.Optional(ref(CounterexampleParamsSchema, 'a counterexample')),
    script: Type.Optional(
      Type.String({
        pattern: STORABLE_TEXT,
        minLength: 1,
        maxLength: SCRIPT_LENGTH_MAX,
        description: 'a text that the machine makes something of, such as a shell script',
        examples: ['perf record -a -e cycles:pp -c 100003 -- sleep 30\n'],
      }),
    ),
    kernel: Type.Optional(ref(SlugSchema, 'the kernel of the catalogue that it is about')),
  },
  {
    $id: 'PoolTask',
    additionalProperties: false,
    description: 'what to run: a scenario, a counterexample or a script',
    examples: [{ script: 'uname -a\n' }],
  },
);

const timeout = Type.Integer({
  minimum: 10,
  maximum: 604_800,
  default: 3600,
  description: 'how long an attempt may take; its lease ends then',
  examples: [3600],
});
const priority = Type.Integer({
  minimum: -100,
  maximum: 100,
  default: 0,
  description: 'those with a higher one come first',
  examples: [0],
});
const copies = Type.Integer({
  minimum: 1,
  maximum: COPIES_MAX,
  default: 1,
  description: 'how many runs there are of it',
  examples: [1],
});

export const PoolJobRequestSchema = Type.Object(
  {
    pool: ref(PoolNameSchema),
    requires: Type.Optional(ref(RequirementsSchema)),
    run: ref(PoolTaskSchema),
    copies: defaulted(copies),
    timeout_seconds: defaulted(timeout),
    priority: defaulted(priority),
  },
  {
    $id: 'PoolJobRequest',
    additionalProperties: false,
    description: 'what the machines of a pool are to run',
    examples: [
      {
        pool: 'lab-a',
        requires: { platform_class: 'K3' },
        run: { script: 'uname -a\n' },
        copies: 2,
        timeout_seconds: 3600,
        priority: 0,
      },
    ],
  },
);
export type PoolJobRequest = Static<typeof PoolJobRequestSchema>;

const JOB_STATES = ['queued', 'running', 'succeeded', 'cancelled'] as const;

/** What a machine needs to know of a job. */
const ASKED = {
  id: ref(PoolJobIdSchema),
  pool: ref(PoolNameSchema),
  requires: ref(RequirementsSchema),
  run: ref(PoolTaskSchema),
  copies,
  timeout_seconds: timeout,
  priority,
  created_at: ref(TimestampSchema),
} as const;

export const EXAMPLE_ASKED = {
  id: 'job_1a',
  pool: 'lab-a',
  requires: {},
  run: { script: 'uname -a\n' },
  copies: 2,
  timeout_seconds: 3600,
  priority: 0,
  created_at: '2026-11-27T12:00:00.000Z',
} as const;

export const LentJobSchema = Type.Object(ASKED, {
  $id: 'LentJob',
  additionalProperties: false,
  description: 'the job that a machine is lent for',
  examples: [EXAMPLE_ASKED],
});

export const RunVerdictSchema = oneOf(RUN_RESULTS, {
  $id: 'RunVerdict',
  description:
    'fail: the code failed; error: the lab failed; pass: the code passed; skip: there was nothing to judge',
  examples: ['pass'],
});

export const PoolJobSchema = Type.Object(
  {
    ...ASKED,
    state: oneOf(JOB_STATES, {
      description:
        'queued: no run has begun; running: some have not ended; succeeded: all have ended, whatever their verdicts; cancelled',
    }),
    cancel_requested: Type.Boolean({ description: 'whether it has been cancelled' }),
    verdict: nullable(ref(RunVerdictSchema), 'the worst of its runs; null as long as none has one'),
    runs: ref(RunCountsSchema),
    finished_at: Type.Optional(ref(TimestampSchema)),
  },
  {
    $id: 'PoolJob',
    additionalProperties: false,
    description: 'a pool job and how its runs stand',
    examples: [
      {
        ...EXAMPLE_ASKED,
        state: 'queued',
        cancel_requested: false,
        verdict: null,
        runs: { queued: 2, leased: 0, fail: 0, error: 0, pass: 0, skip: 0, cancelled: 0 },
      },
    ],
  },
);
export type PoolJob = Static<typeof PoolJobSchema>;

export const PoolJobQuerySchema = Type.Object(
  {
    ...PageQuerySchema.properties,
    pool: Type.Optional(ref(PoolNameSchema, 'only those of this pool')),
  },
  {
    $id: 'PoolJobQuery',
    additionalProperties: false,
    description: 'which pool jobs are listed',
    examples: [{ limit: 50, pool: 'lab-a' }],
  },
);
export type PoolJobQuery = Static<typeof PoolJobQuerySchema>;

export const PoolJobPageSchema = pageOf('PoolJobPage', PoolJobSchema, 'a page of pool jobs');

const errorCode = Type.String({
  pattern: '^[ -~]{1,100}$',
  minLength: 1,
  maxLength: 100,
  description: 'why the lab failed, in a word',
  examples: ['no_boot'],
});

export const AttemptSchema = Type.Object(
  {
    fencing_token: ref(FencingTokenSchema),
    machine: ref(MachineNameSchema),
    state: oneOf(ATTEMPT_STATES, {
      description:
        'held: its lease is; completed: it brought a result; expired: its lease was not renewed in time; reset: its machine began afresh',
    }),
    result: Type.Optional(ref(RunVerdictSchema, 'what its machine reported, even if too late')),
    error_code: Type.Optional(errorCode),
    acquired_at: ref(TimestampSchema),
    ended_at: Type.Optional(ref(TimestampSchema)),
    reported_at: Type.Optional(ref(TimestampSchema)),
  },
  {
    $id: 'Attempt',
    additionalProperties: false,
    description: 'an attempt at a run',
    examples: [
      {
        fencing_token: 1,
        machine: 'host-17',
        state: 'held',
        acquired_at: '2026-11-27T12:00:00.000Z',
      },
    ],
  },
);

export const RunSchema = Type.Object(
  {
    id: ref(RunIdSchema),
    job: ref(PoolJobIdSchema),
    copy: Type.Integer({ minimum: 1, maximum: COPIES_MAX, description: 'which of the copies' }),
    lease: ref(LeaseIdSchema),
    state: oneOf(RUN_STATES, {
      description:
        'queued: it waits; leased: a machine holds its lease; finished: it has a result; cancelled',
    }),
    verdict: nullable(
      ref(RunVerdictSchema),
      'the worst of what its observations showed, or what its machine said where they showed nothing; null before',
    ),
    result: Type.Optional(ref(RunVerdictSchema, 'what its machine said')),
    observed: Type.Optional(ref(RunVerdictSchema, 'the worst of what its observations showed')),
    error_code: Type.Optional(errorCode),
    attempts: Type.Array(ref(AttemptSchema), { maxItems: 10, description: 'in their order' }),
    finished_at: Type.Optional(ref(TimestampSchema)),
  },
  {
    $id: 'Run',
    additionalProperties: false,
    description: 'one of the copies of a pool job',
    examples: [
      {
        id: 'run_1a',
        job: 'job_1a',
        copy: 1,
        lease: 'lease_1a',
        state: 'queued',
        verdict: null,
        attempts: [],
      },
    ],
  },
);
export type Run = Static<typeof RunSchema>;

export const RunPageSchema = pageOf('RunPage', RunSchema, 'a page of the runs of a pool job');

export const ErrorCodeSchema = errorCode;
