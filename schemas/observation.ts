/** What was read in the texts of real machines. */
import { type Static, Type } from 'typebox';
import { OBSERVED_CLASSES, OBSERVED_PATHS, TEXT_FORMATS } from '../src/observations/vocabulary.js';
import {
  count,
  NameSchema,
  nullable,
  oneOf,
  PageQuerySchema,
  pageOf,
  prose,
  ref,
  TimestampSchema,
} from './common.js';
import {
  ListedTestSchema,
  ObservationFindingSchema,
  ObservationVerdictSchema,
  ObservedCpuSchema,
  ObservedLossSchema,
  RejectedLineSchema,
  TestCountsSchema,
} from './observation-lists.js';
import { ObservedRecordSchema } from './observed-record.js';

/** Of a list in an answer; there may be more in the text. */
const REJECTED_MAX = 1000;
const FINDINGS_MAX = 1000;
const CPUS_MAX = 8192;
const TESTS_MAX = 500;

export const ObservationIdSchema = Type.String({
  $id: 'ObservationId',
  pattern: '^obs_[0-9a-z]{1,26}$',
  minLength: 5,
  maxLength: 30,
  description: 'the id of an observation',
  examples: ['obs_1a'],
});

export const ObservationParamsSchema = Type.Object(
  { observation: ref(ObservationIdSchema) },
  {
    $id: 'ObservationParams',
    additionalProperties: false,
    description: 'the observation',
    examples: [{ observation: 'obs_1a' }],
  },
);

export const ObservationFormatSchema = oneOf(['auto', ...TEXT_FORMATS], {
  $id: 'ObservationFormat',
  description: 'what printed the text; `auto` until that is recognised',
  examples: ['rdmsr'],
});

/** What all of a text says together. */
const ANSWER = {
  records: count('how many records the text gave'),
  rejected: Type.Array(ref(RejectedLineSchema), {
    maxItems: REJECTED_MAX,
    description: `lines that should have given a value and do not; the first ${REJECTED_MAX}`,
  }),
  rejected_total: count('how many such lines there are'),
  losses: Type.Array(ref(ObservedLossSchema), {
    maxItems: CPUS_MAX,
    description: 'records that the tool lost, by CPU',
  }),
  cut: Type.Boolean({
    description:
      'whether the text ends within a line, or was said to be cut: then more may have followed',
  }),
  path: oneOf(OBSERVED_PATHS, {
    description:
      'whether IA32_PEBS_ENABLE is in the MSR-load areas of VM-entry and VM-exit: autoload and none are proved by the text',
  }),
  cpus: Type.Array(ref(ObservedCpuSchema), {
    maxItems: CPUS_MAX,
    description: 'the verdict on each CPU that the text is about',
  }),
  findings: Type.Array(ref(ObservationFindingSchema), {
    maxItems: FINDINGS_MAX,
    description: 'what the rules found',
  }),
  test_counts: ref(TestCountsSchema),
  tests: Type.Array(ref(ListedTestSchema), {
    maxItems: TESTS_MAX,
    description: `the tests whose results are in the text; at most ${TESTS_MAX}, failures before others`,
  }),
  span_seconds: nullable(
    Type.Number({ minimum: 0 }),
    'how long the times of its records span; null: they do not tell',
  ),
  verdict: ref(ObservationVerdictSchema, 'the verdict on the machine'),
  class: oneOf(OBSERVED_CLASSES, {
    description:
      'code: the kernel was judged; harness: what was sent or ran the test does not tell; not_applicable: there is nothing to judge',
  }),
  facts: Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 2000 }), {
    maxProperties: 256,
    description: 'what the text and the query say of the machine',
  }),
  missing: Type.Array(prose('a fact'), {
    maxItems: 100,
    description: 'facts that would have told more',
  }),
  preconditions: Type.Array(prose('a condition'), {
    maxItems: 100,
    description: 'what has to change on the machine before it can be judged',
  }),
  next: nullable(prose('a step'), 'what to send next'),
} as const;

const ABOUT = {
  format: ref(ObservationFormatSchema),
  machine: Type.Optional(ref(NameSchema)),
  pool: Type.Optional(ref(NameSchema)),
  lease: Type.Optional(ref(NameSchema)),
} as const;

const bytes = count('the size of the uncompressed text');

const STANDING = {
  id: ref(ObservationIdSchema),
  state: oneOf(['reading', 'done', 'failed'], {
    description:
      'reading: what follows from the text is there when it is done; failed: nothing is stored of it',
  }),
  ...ABOUT,
  created_at: ref(TimestampSchema),
  finished_at: Type.Optional(ref(TimestampSchema)),
  error: Type.Optional(prose('why it failed')),
  bytes: Type.Optional(bytes),
} as const;

const EXAMPLE_ANSWER = {
  records: 8,
  rejected: [],
  rejected_total: 0,
  losses: [],
  cut: false,
  path: 'unknown',
  cpus: [{ cpu: 3, verdict: 'stuck', reason: 'PMC0 is set in both snapshots' }],
  findings: [],
  test_counts: { pass: 0, fail: 0, skip: 0, error: 0 },
  tests: [],
  span_seconds: null,
  verdict: 'stuck',
  class: 'code',
  facts: { pebs_events: '0' },
  missing: [],
  preconditions: [],
  next: null,
} as const;

const EXAMPLE = {
  id: 'obs_1a',
  state: 'done',
  format: 'rdmsr',
  machine: 'host-17',
  created_at: '2026-11-27T12:00:00.000Z',
  finished_at: '2026-11-27T12:00:00.100Z',
  bytes: 224,
} as const;

const found = Object.fromEntries(
  Object.entries(ANSWER).map(([name, schema]) => [name, Type.Optional(schema)]),
) as { [Name in keyof typeof ANSWER]: ReturnType<typeof Type.Optional<(typeof ANSWER)[Name]>> };

export const ObservationSchema = Type.Object(
  { ...STANDING, ...found },
  {
    $id: 'Observation',
    additionalProperties: false,
    description: 'a text of a real machine, and what was read in it',
    examples: [{ ...EXAMPLE, ...EXAMPLE_ANSWER }],
  },
);
export type Observation = Static<typeof ObservationSchema>;

export const ObservationPreviewSchema = Type.Object(
  {
    ...ABOUT,
    bytes,
    ...ANSWER,
    records_preview: Type.Array(ref(ObservedRecordSchema), {
      maxItems: 1000,
      description: 'the first records',
    }),
  },
  {
    $id: 'ObservationPreview',
    additionalProperties: false,
    description: 'what was read in a text that is not stored',
    examples: [{ format: 'rdmsr', bytes: 224, ...EXAMPLE_ANSWER, records_preview: [] }],
  },
);
export type ObservationPreview = Static<typeof ObservationPreviewSchema>;

const { records, path, verdict, class: whose } = found;

export const ObservationSummarySchema = Type.Object(
  { ...STANDING, records, path, verdict, class: whose },
  {
    $id: 'ObservationSummary',
    additionalProperties: false,
    description: 'an observation without its lists',
    examples: [{ ...EXAMPLE, records: 8, path: 'unknown', verdict: 'stuck', class: 'code' }],
  },
);
export type ObservationSummary = Static<typeof ObservationSummarySchema>;

export const ObservationQuerySchema = Type.Object(
  {
    ...PageQuerySchema.properties,
    machine: Type.Optional(ref(NameSchema, 'only those of this machine')),
    pool: Type.Optional(ref(NameSchema, 'only those of this pool')),
    verdict: Type.Optional(ref(ObservationVerdictSchema, 'only those with this verdict')),
    format: Type.Optional(ref(ObservationFormatSchema, 'only those in this format')),
  },
  {
    $id: 'ObservationQuery',
    additionalProperties: false,
    description: 'which observations are listed',
    examples: [{ limit: 50, pool: 'lab-a', verdict: 'stuck' }],
  },
);
export type ObservationQuery = Static<typeof ObservationQuerySchema>;

export const ObservationPageSchema = pageOf(
  'ObservationPage',
  ObservationSummarySchema,
  'a page of observations',
);

export const ObservedRecordPageSchema = pageOf(
  'ObservedRecordPage',
  ObservedRecordSchema,
  'a page of the records of a text, in its order',
);
