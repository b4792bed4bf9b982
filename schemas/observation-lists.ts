/** What an observation lists: lines that gave nothing, losses, the verdict on each CPU, what the rules found, and tests. */
import { Type } from 'typebox';
import { OBSERVED_RULES, OBSERVED_VERDICTS, TEST_RESULTS } from '../src/observations/vocabulary.js';
import { count, nullable, oneOf, prose, ref } from './common.js';

const lineNumber = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

export const cpuOrNull = (description: string) =>
  nullable(Type.Integer({ minimum: 0, maximum: 65_535 }), description);

export const ObservationVerdictSchema = oneOf(OBSERVED_VERDICTS, {
  $id: 'ObservationVerdict',
  description:
    'stuck: a bit of IA32_PEBS_ENABLE stays set that nobody needs; transient: it was, and is no longer; clean: it is not; not_applicable: the machine cannot have this; inconclusive: the text does not tell; none: nothing to judge',
  examples: ['stuck'],
});

export const RejectedLineSchema = Type.Object(
  {
    line: lineNumber('the number of the line, from 1; 0: of none, in a document'),
    reason: prose('why it yields nothing'),
  },
  {
    $id: 'RejectedLine',
    additionalProperties: false,
    description: 'a line that should have given a value and does not',
    examples: [{ line: 7, reason: 'the line has no end: it may be cut' }],
  },
);

export const ObservedLossSchema = Type.Object(
  {
    cpu: cpuOrNull('the CPU; null: any'),
    count: nullable(count('how many'), 'how many records are missing; null: unknown'),
  },
  {
    $id: 'ObservedLoss',
    additionalProperties: false,
    description: 'records that the tool lost',
    examples: [{ cpu: 3, count: 1234 }],
  },
);

export const ObservedCpuSchema = Type.Object(
  {
    cpu: Type.Integer({ minimum: 0, maximum: 65_535, description: 'the CPU' }),
    verdict: ref(ObservationVerdictSchema),
    reason: prose('why'),
  },
  {
    $id: 'ObservedCpu',
    additionalProperties: false,
    description: 'the verdict on one CPU',
    examples: [{ cpu: 3, verdict: 'stuck', reason: 'PMC0 is set in both snapshots' }],
  },
);

export const ObservationFindingSchema = Type.Object(
  {
    rule: oneOf(OBSERVED_RULES, { description: 'the rule' }),
    verdict: ref(ObservationVerdictSchema),
    cpu: cpuOrNull('the CPU; null: the machine, or not known'),
    msr: nullable(Type.String({ minLength: 1, maxLength: 64 }), 'the MSR, by its SDM name'),
    bits: Type.Array(Type.String({ minLength: 1, maxLength: 32 }), {
      maxItems: 64,
      description: 'the bits of the MSR, by name',
    }),
    lines: Type.Array(lineNumber('a line'), {
      maxItems: 1000,
      description: 'the lines that show it',
    }),
    text: prose('what was found'),
  },
  {
    $id: 'ObservationFinding',
    additionalProperties: false,
    description: 'what a rule found, and the lines that show it',
    examples: [
      {
        rule: 'R1',
        verdict: 'stuck',
        cpu: 3,
        msr: 'IA32_PEBS_ENABLE',
        bits: ['PMC0'],
        lines: [4, 9],
        text: 'PMC0 is set in two snapshots, and no PEBS event is open',
      },
    ],
  },
);

export const ListedTestSchema = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 300,
      description: 'the test, behind the names of its groups',
    }),
    result: oneOf(TEST_RESULTS, {
      description: 'error: what ran the test failed; unknown: the text does not tell',
    }),
    text: Type.Optional(
      Type.String({ minLength: 1, maxLength: 300, description: 'what is said of it' }),
    ),
    duration_seconds: Type.Optional(
      Type.Number({ minimum: 0, description: 'how long it ran, where that is said' }),
    ),
  },
  {
    $id: 'ListedTest',
    additionalProperties: false,
    description: 'the result of a test in a text',
    examples: [{ name: 'kvm/pmu_counters_test', result: 'fail', duration_seconds: 3.2 }],
  },
);

export const TestCountsSchema = Type.Object(
  {
    pass: count('tests that passed'),
    fail: count('tests that failed'),
    skip: count('tests that were skipped'),
    error: count('tests that broke, and those whose result is unknown'),
  },
  {
    $id: 'TestCounts',
    additionalProperties: false,
    description: 'the results of the tests in a text',
    examples: [{ pass: 3, fail: 1, skip: 0, error: 0 }],
  },
);
