/** What labs post when a job has ended, as they post it. */
import { type Static, Type } from 'typebox';
import { NameSchema, ref } from './common.js';
import { FencingTokenSchema } from './pool-job.js';

const BODY_BYTES_MAX = 16_777_216;

export const LavaCallbackSchema = Type.Unsafe<object>({
  $id: 'LavaCallback',
  type: 'object',
  required: ['id'],
  properties: {
    id: {
      type: ['integer', 'string'],
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      maxLength: 100,
      description: 'the number of the job',
    },
    status_string: { type: 'string', maxLength: 100, description: 'the state of the job' },
    health_string: { type: 'string', maxLength: 100, description: 'whether the job completed' },
    actual_device_id: { type: 'string', maxLength: 200, description: 'the machine' },
    results: {
      type: 'object',
      additionalProperties: { type: 'string', maxLength: BODY_BYTES_MAX },
      description: 'by suite, its results as YAML text',
    },
    log: {
      type: 'string',
      maxLength: BODY_BYTES_MAX,
      description: 'the log of the job, as YAML text',
    },
  },
  additionalProperties: true,
  description: `what LAVA posts with \`notify: callback:\`, of any dataset; at most ${BODY_BYTES_MAX} bytes, results of 100,000 tests a suite, YAML 32 levels deep`,
  examples: [
    {
      id: 17574685,
      status_string: 'complete',
      health_string: 'Complete',
      actual_device_id: 'host-17',
      results: { '0_pebs-stuck': '- {name: cpu3, suite: 0_pebs-stuck, result: fail}\n' },
    },
  ],
});

export const LavaFormSchema = Type.Unsafe<object>({
  $id: 'LavaForm',
  type: 'object',
  required: ['id'],
  properties: {
    id: { type: 'string', maxLength: 100, description: 'the number of the job' },
    status_string: { type: 'string', maxLength: 100, description: 'the state of the job' },
    results: {
      type: 'string',
      maxLength: 1000,
      description: 'the name of a suite, without its results',
    },
  },
  additionalProperties: true,
  description:
    'the same as a form, which LAVA posts unless its job says `content-type: json`: it has no results, so its tests count as unknown',
  examples: [{ id: '17574685', status_string: 'complete', results: '0_pebs-stuck' }],
});

export const PullLabsCallbackSchema = Type.Unsafe<object>({
  $id: 'PullLabsCallback',
  type: 'object',
  properties: {
    summary: {
      type: 'object',
      additionalProperties: true,
      description: 'how many tests there were',
    },
    metadata: {
      type: 'object',
      properties: { system: { type: 'string', maxLength: 1000, description: 'the machine' } },
      additionalProperties: true,
      description: 'what is said of the run',
    },
    tests: {
      type: 'object',
      additionalProperties: true,
      description: 'by name: `status`, `duration_ms`, `metrics` and `subtests` of each',
    },
    artifacts: {
      type: 'object',
      properties: {
        log: {
          type: 'string',
          maxLength: BODY_BYTES_MAX,
          description: 'the log: text, or `base64:` and gzip or text in base64; 32 MiB unpacked',
        },
      },
      additionalProperties: true,
      description: 'what the run left',
    },
    error_code: { type: 'string', maxLength: 1000, description: 'what the lab broke' },
    error_msg: { type: 'string', maxLength: 100_000, description: 'how' },
  },
  additionalProperties: true,
  description: `what a lab posts that runs jobs of PULL_LABS; at most ${BODY_BYTES_MAX} bytes and 100,000 tests, 16 levels deep`,
  examples: [
    {
      summary: { total: 1, failed: 1 },
      metadata: { system: 'host-17' },
      tests: { 'pebs-stuck': { status: 'fail', duration_ms: 9350 } },
      artifacts: { log: 'cpu=3 3f1=0000000000000001\n' },
    },
  ],
});

export const CallbackQuerySchema = Type.Object(
  {
    job: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        pattern: '^[!-~]+$',
        description:
          "the sender's job, where the body does not name it: what is sent again for it is stored once",
        examples: ['6a94aeafc5867fba94731e67'],
      }),
    ),
    machine: Type.Optional(ref(NameSchema, 'the machine, instead of the one that the body names')),
    pool: Type.Optional(ref(NameSchema, 'the pool that it belongs to')),
    lease: Type.Optional(ref(NameSchema, 'what the machine was lent for: a job, a run')),
    fencing_token: Type.Optional(
      ref(FencingTokenSchema, 'of the lease: what the callback says is its result, and ends it'),
    ),
  },
  {
    $id: 'CallbackQuery',
    additionalProperties: false,
    description: 'what the address of a callback says',
    examples: [{ pool: 'lab-a' }],
  },
);
export type CallbackQuery = Static<typeof CallbackQuerySchema>;
