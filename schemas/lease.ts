/** Leases: a machine asks its pool for something to run, renews its lease, and reports the result. */
import { type Static, Type } from 'typebox';
import { ATTEMPT_STATES } from '../src/store/vocabulary.js';
import { oneOf, ref, TimestampSchema } from './common.js';
import { LabelsSchema, MachineNameSchema, PoolNameSchema } from './pool.js';
import {
  COPIES_MAX,
  ErrorCodeSchema,
  EXAMPLE_ASKED,
  FencingTokenSchema,
  LeaseIdSchema,
  LentJobSchema,
  RunIdSchema,
  RunVerdictSchema,
  TIMEOUT_SECONDS_MAX,
} from './pool-job.js';

export const LeaseParamsSchema = Type.Object(
  { lease: ref(LeaseIdSchema) },
  {
    $id: 'LeaseParams',
    additionalProperties: false,
    description: 'the lease',
    examples: [{ lease: 'lease_1a' }],
  },
);

export const LeaseRequestSchema = Type.Object(
  {
    machine: ref(MachineNameSchema, 'the machine that asks'),
    labels: Type.Optional(ref(LabelsSchema, 'in place of those it had')),
  },
  {
    $id: 'LeaseRequest',
    additionalProperties: false,
    description: 'a machine that has nothing to do',
    examples: [{ machine: 'host-17' }],
  },
);
export type LeaseRequest = Static<typeof LeaseRequestSchema>;

const beatSeconds = Type.Integer({
  minimum: 2,
  maximum: 720,
  description: 'after how long to renew it',
});
const secondsLeft = Type.Number({
  minimum: 0,
  maximum: TIMEOUT_SECONDS_MAX,
  description: 'the time left, for machines whose clock differs',
});

const EXAMPLE_LEASE = {
  id: 'lease_1a',
  fencing_token: 1,
  pool: 'lab-a',
  machine: 'host-17',
  state: 'held',
  acquired_at: '2026-11-27T12:00:00.000Z',
  expires_at: '2026-11-27T12:05:00.000Z',
  expires_in_seconds: 300,
  beat_seconds: 60,
} as const;

export const LeaseSchema = Type.Object(
  {
    id: ref(LeaseIdSchema),
    fencing_token: ref(FencingTokenSchema),
    pool: ref(PoolNameSchema),
    machine: ref(MachineNameSchema),
    state: oneOf(ATTEMPT_STATES, { description: 'how this attempt stands' }),
    acquired_at: ref(TimestampSchema),
    expires_at: ref(TimestampSchema),
    expires_in_seconds: secondsLeft,
    beat_seconds: beatSeconds,
  },
  {
    $id: 'Lease',
    additionalProperties: false,
    description: 'the right to carry out a run, as long as it is renewed',
    examples: [EXAMPLE_LEASE],
  },
);
export type Lease = Static<typeof LeaseSchema>;

export const LentSchema = Type.Object(
  {
    lease: ref(LeaseSchema),
    run: Type.Object(
      {
        id: ref(RunIdSchema),
        copy: Type.Integer({ minimum: 1, maximum: COPIES_MAX, description: 'which of the copies' }),
        attempt: ref(FencingTokenSchema, 'which attempt at it'),
      },
      { additionalProperties: false, description: 'what it is lent for' },
    ),
    job: ref(LentJobSchema),
  },
  {
    $id: 'Lent',
    additionalProperties: false,
    description: 'something to run',
    examples: [
      {
        lease: EXAMPLE_LEASE,
        run: { id: 'run_1a', copy: 1, attempt: 1 },
        job: EXAMPLE_ASKED,
      },
    ],
  },
);
export type Lent = Static<typeof LentSchema>;

export const BeatRequestSchema = Type.Object(
  { fencing_token: ref(FencingTokenSchema) },
  {
    $id: 'BeatRequest',
    additionalProperties: false,
    description: 'a sign of life of the holder',
    examples: [{ fencing_token: 1 }],
  },
);
export type BeatRequest = Static<typeof BeatRequestSchema>;

export const BeatSchema = Type.Object(
  {
    action: oneOf(['continue', 'cancel', 'drain'], {
      description:
        'continue: all is well; cancel: stop, and complete it; drain: finish it, and ask for nothing else',
    }),
    expires_at: ref(TimestampSchema),
    expires_in_seconds: secondsLeft,
    beat_seconds: beatSeconds,
  },
  {
    $id: 'Beat',
    additionalProperties: false,
    description: 'the lease has been renewed',
    examples: [
      {
        action: 'continue',
        expires_at: '2026-11-27T12:05:00.000Z',
        expires_in_seconds: 300,
        beat_seconds: 60,
      },
    ],
  },
);
export type Beat = Static<typeof BeatSchema>;

export const CompletionRequestSchema = Type.Object(
  {
    fencing_token: ref(FencingTokenSchema),
    result: ref(RunVerdictSchema),
    error_code: Type.Optional(ErrorCodeSchema),
  },
  {
    $id: 'CompletionRequest',
    additionalProperties: false,
    description: 'the result of a run',
    examples: [
      { fencing_token: 1, result: 'pass' },
      { fencing_token: 1, result: 'error', error_code: 'no_boot' },
    ],
  },
);
export type CompletionRequest = Static<typeof CompletionRequestSchema>;

export const CompletionSchema = Type.Object(
  {
    id: ref(LeaseIdSchema),
    run: ref(RunIdSchema),
    fencing_token: ref(FencingTokenSchema),
    state: oneOf(ATTEMPT_STATES, {
      description: 'completed, unless the report came after the lease had ended',
    }),
    result: ref(RunVerdictSchema),
    error_code: Type.Optional(ErrorCodeSchema),
    counts: Type.Boolean({
      description:
        'whether it is the result of this attempt; false where it came too late and is only kept',
    }),
  },
  {
    $id: 'Completion',
    additionalProperties: false,
    description: 'the report of an attempt, as it is kept',
    examples: [
      {
        id: 'lease_1a',
        run: 'run_1a',
        fencing_token: 1,
        state: 'completed',
        result: 'pass',
        counts: true,
      },
    ],
  },
);
export type Completion = Static<typeof CompletionSchema>;

export const ResetSchema = Type.Object(
  {
    machine: ref(MachineNameSchema),
    ended: Type.Array(ref(LeaseIdSchema), {
      maxItems: 1,
      description: 'the lease that it held, if it held one; its run goes back',
    }),
  },
  {
    $id: 'Reset',
    additionalProperties: false,
    description: 'a machine that holds nothing',
    examples: [{ machine: 'host-17', ended: ['lease_1a'] }],
  },
);
export type Reset = Static<typeof ResetSchema>;
