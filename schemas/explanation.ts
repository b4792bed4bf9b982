/** Explanations: whether a recording is one of a kernel, and by which schedule. */
import { type Static, Type } from 'typebox';
import { STEPS_TOLD_MAX } from '../src/model/vocabulary.js';
import {
  count,
  LIST_QUERY,
  nullable,
  oneOf,
  pageOf,
  prose,
  ref,
  SlugSchema,
  TimestampSchema,
} from './common.js';
import { ExplorationModelSchema } from './exploration-model.js';
import { propertyId } from './exploration-request.js';
import { HostCreateSchema } from './host.js';
import { ObservationIdSchema } from './observation.js';
import { cpuOrNull } from './observation-lists.js';
import { ScriptActionSchema } from './script.js';

export const KERNELS_EXPLAINED_MAX = 16;

const STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
const VERDICTS = ['explained', 'unexplained', 'undecided'] as const;

export const ExplanationIdSchema = Type.String({
  $id: 'ExplanationId',
  pattern: '^exn_[0-9a-z]{1,26}$',
  minLength: 5,
  maxLength: 30,
  description: 'the id of an explanation',
  examples: ['exn_1a'],
});

export const ExplanationParamsSchema = Type.Object(
  { explanation: ref(ExplanationIdSchema) },
  {
    $id: 'ExplanationParams',
    additionalProperties: false,
    description: 'the explanation',
    examples: [{ explanation: 'exn_1a' }],
  },
);

const { microcode, stepping, events, vcpus, actors, options } = ExplorationModelSchema.properties;

const lineNumber = (description: string) =>
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description });

export const ExplanationRequestSchema = Type.Object(
  {
    kernel: Type.Optional(ref(SlugSchema, 'the kernel; instead of `kernels`')),
    kernels: Type.Optional(
      Type.Array(ref(SlugSchema), {
        minItems: 1,
        maxItems: KERNELS_EXPLAINED_MAX,
        description: 'several kernels: which of them the recording fits',
      }),
    ),
    cpu_model: Type.Optional(
      ref(
        SlugSchema,
        'the CPU model; by default what the facts of the observation identify, as `POST /v1/identify` does',
      ),
    ),
    model: Type.Optional(
      Type.Object(
        { microcode, stepping, events, vcpus, actors, options },
        {
          additionalProperties: false,
          description: 'what is known of the machine; the rest is inferred from the recording',
        },
      ),
    ),
    cpu: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 65_535,
        description:
          'the CPU of the machine; by default the one with the most records that are compared',
      }),
    ),
    window: Type.Optional(
      Type.Object(
        {
          first_line: Type.Optional(lineNumber('the first line')),
          last_line: Type.Optional(lineNumber('the last line')),
        },
        { additionalProperties: false, description: 'the part of the text to explain' },
      ),
    ),
  },
  {
    $id: 'ExplanationRequest',
    additionalProperties: false,
    description: 'what is to be explained',
    examples: [{ kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' }],
  },
);
export type ExplanationRequest = Static<typeof ExplanationRequestSchema>;

const told = (maxItems: number, description: string) =>
  Type.Array(prose('one of them'), { maxItems, description });

export const KernelExplanationSchema = Type.Object(
  {
    kernel: ref(SlugSchema),
    verdict: oneOf(VERDICTS, {
      description:
        'explained: the schedule makes the recording; unexplained: no schedule of the machines tried reaches a record; undecided: a bound was reached before',
    }),
    reason: nullable(
      Type.String({ maxLength: 40, description: 'which bound' }),
      'null unless undecided',
    ),
    inference: told(
      32,
      'what was taken to be so, of the machine and of where the recording begins',
    ),
    model: nullable(
      ref(ExplorationModelSchema),
      'the machine; null where none was found that could be tried',
    ),
    reached: count('records that the schedule makes'),
    steps: count('steps of the schedule; the last may go on behind the recording'),
    violated: Type.Array(propertyId, {
      maxItems: 32,
      description: 'the invariants that fail somewhere along the schedule',
    }),
    unreached: Type.Optional(
      Type.Object(
        {
          line: lineNumber('its line'),
          recorded: prose('what it says'),
          instead: told(16, 'what the model could have written there instead'),
        },
        { additionalProperties: false, description: 'the first record that no schedule reaches' },
      ),
    ),
    host: Type.Optional(ref(HostCreateSchema, 'the host to replay it on: POST /v1/hosts')),
    script: Type.Optional(
      Type.Array(ref(ScriptActionSchema), {
        maxItems: 10_000,
        description: `the schedule, or that up to the record: POST /v1/hosts/{host}/scripts; absent where it has more than ${STEPS_TOLD_MAX} steps`,
      }),
    ),
    story: Type.Optional(
      Type.String({ maxLength: 4_000_000, description: 'the schedule for people' }),
    ),
    states: count('states looked at'),
  },
  {
    $id: 'KernelExplanation',
    additionalProperties: false,
    description: 'whether the recording is one of a kernel',
    examples: [
      {
        kernel: 'linux-7.2.6',
        verdict: 'unexplained',
        reason: null,
        inference: ['no vCPU runs'],
        model: { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' },
        reached: 3,
        steps: 9,
        violated: [],
        unreached: {
          line: 12,
          recorded: 'IA32_PEBS_ENABLE := 0x0000000000000000 outside any NMI',
          instead: ['entry of vCPU 0'],
        },
        states: 120,
      },
    ],
  },
);
export type KernelExplanation = Static<typeof KernelExplanationSchema>;

export const ExplanationSchema = Type.Object(
  {
    id: ref(ExplanationIdSchema),
    state: oneOf(STATES, { description: 'how it stands' }),
    attempts: count('how often a worker has begun it'),
    created_at: ref(TimestampSchema),
    finished_at: Type.Optional(ref(TimestampSchema)),
    error: Type.Optional(prose('why it failed')),
    observation: ref(ObservationIdSchema),
    cpu: Type.Optional(
      cpuOrNull('the CPU of the machine, CPU 0 of the model; null where the text names none'),
    ),
    records: Type.Optional(count('records of the CPU that are compared')),
    skipped: Type.Optional(
      Type.Array(
        Type.Object(
          { what: prose('what they are'), count: count('how many') },
          { additionalProperties: false, description: 'records that are not compared' },
        ),
        { maxItems: 64, description: 'records that are left out, the most frequent first' },
      ),
    ),
    progress: Type.Object(
      {
        kernels: count('kernels done'),
        of: count('kernels in all'),
        records: count('records of the next one that were followed'),
      },
      { additionalProperties: false, description: 'how far it is' },
    ),
    verdict: Type.Optional(
      oneOf(VERDICTS, {
        description:
          'of all kernels, once they are done: explained by one at least; undecided where none explains it and a bound was reached for one',
      }),
    ),
    fits: Type.Array(ref(SlugSchema), {
      maxItems: KERNELS_EXPLAINED_MAX,
      description: 'the kernels that explain the recording',
    }),
    kernels: Type.Array(ref(KernelExplanationSchema), {
      maxItems: KERNELS_EXPLAINED_MAX,
      description: 'kernel by kernel, as they are done',
    }),
  },
  {
    $id: 'Explanation',
    additionalProperties: false,
    description: 'whether a recording is a behaviour of a kernel',
    examples: [
      {
        id: 'exn_1a',
        state: 'queued',
        attempts: 0,
        created_at: '2026-11-27T12:00:00.000Z',
        observation: 'obs_1a',
        progress: { kernels: 0, of: 1, records: 0 },
        fits: [],
        kernels: [],
      },
    ],
  },
);
export type Explanation = Static<typeof ExplanationSchema>;

export const ExplanationQuerySchema = Type.Object(
  {
    ...LIST_QUERY,
    state: Type.Optional(oneOf(STATES, { description: 'only those in this state' })),
    verdict: Type.Optional(oneOf(VERDICTS, { description: 'only those with this verdict' })),
  },
  {
    $id: 'ExplanationQuery',
    additionalProperties: false,
    description: 'which explanations are listed, and how',
    examples: [{ limit: 50, sort: 'newest', state: 'succeeded', verdict: 'explained' }],
  },
);

export const ExplanationPageSchema = pageOf(
  'ExplanationPage',
  ExplanationSchema,
  'a page of explanations, without `host`, `script` and `story`',
);
