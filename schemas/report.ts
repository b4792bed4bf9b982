/** Results as other test systems exchange them: KTAP, JUnit and KCIDB. */
import { type Static, Type } from 'typebox';
import { defaulted, oneOf, prose, ref } from './common.js';

export const ReportQuerySchema = Type.Object(
  {
    format: Type.Optional(
      oneOf(['json', 'ktap', 'junit', 'kcidb'], {
        description:
          'instead of the Accept header: ktap (KTAP version 1), junit (JUnit XML), kcidb (KCIDB 5.3, for KernelCI)',
      }),
    ),
  },
  {
    $id: 'ReportQuery',
    additionalProperties: false,
    description: 'the format',
    examples: [{ format: 'junit' }],
  },
);

export const ReportTextSchema = Type.String({
  $id: 'ReportText',
  maxLength: 16_000_000,
  description: 'the same as KTAP, JUnit XML or KCIDB',
  examples: ['KTAP version 1\n1..0\n'],
});

const TESTS_MAX = 4000;

const text = (description: string, maxLength = 2000) => Type.String({ maxLength, description });

const id = (description: string) =>
  Type.String({ pattern: '^pebslab:[^\\0]*$', maxLength: 300, description });

const origin = Type.Literal('pebslab', { description: 'who says so' });

const misc = (description: string) =>
  Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 32, description });

export const KcidbCheckoutSchema = Type.Object(
  {
    id: id('by the release of the kernel'),
    origin,
    tree_name: text('the tree that the release is of'),
    git_repository_url: text('its repository'),
    git_commit_name: Type.Optional(text('the tag of the release')),
    valid: Type.Boolean({ description: 'always true' }),
    misc: misc('kernel_release; assumed: what the release does not tell for certain; simulated'),
  },
  {
    $id: 'KcidbCheckout',
    additionalProperties: false,
    description: 'a kernel',
    examples: [
      {
        id: 'pebslab:co-6.12.90',
        origin: 'pebslab',
        tree_name: 'stable',
        git_repository_url: 'https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git',
        git_commit_name: 'v6.12.90',
        valid: true,
        misc: { kernel_release: '6.12.90' },
      },
    ],
  },
);

export const KcidbBuildSchema = Type.Object(
  {
    id: id('by lab and kernel'),
    checkout_id: id('the kernel'),
    origin,
    architecture: Type.Literal('x86_64', { description: 'the architecture' }),
    status: Type.Literal('PASS', { description: 'it ran, so it was built' }),
    misc: misc('lab'),
  },
  {
    $id: 'KcidbBuild',
    additionalProperties: false,
    description: 'a kernel in a lab',
    examples: [
      {
        id: 'pebslab:bd-lab-a-6.12.90',
        checkout_id: 'pebslab:co-6.12.90',
        origin: 'pebslab',
        architecture: 'x86_64',
        status: 'PASS',
        misc: { lab: 'lab-a' },
      },
    ],
  },
);

export const KcidbTestSchema = Type.Object(
  {
    id: id('the observation or campaign, and the number of the test in it'),
    build_id: id('the build'),
    origin,
    path: Type.String({
      pattern: '^([a-zA-Z0-9_-]+(\\.[a-zA-Z0-9_-]+)*)?$',
      maxLength: 4000,
      description: 'groups and name of the test',
    }),
    status: oneOf(['FAIL', 'ERROR', 'MISS', 'PASS', 'DONE', 'SKIP'], {
      description: 'its result',
    }),
    start_time: text('when it began, as far as that is known', 40),
    duration: Type.Optional(Type.Number({ minimum: 0, description: 'seconds' })),
    environment: Type.Object(
      {
        compatible: Type.Array(text('a compatible string'), {
          maxItems: 16,
          description: 'what the machine is compatible with',
        }),
        comment: text('the lab and the machine'),
        misc: misc('platform'),
      },
      { additionalProperties: false, description: 'what it ran on' },
    ),
    log_excerpt: Type.Optional(text('what shows it', 16_384)),
    misc: misc('runtime: the lab; report: the observation or campaign; reason; more by kind'),
  },
  {
    $id: 'KcidbTest',
    additionalProperties: false,
    description: 'a test and its result',
    examples: [
      {
        id: 'pebslab:obs_1a-1',
        build_id: 'pebslab:bd-lab-a-6.12.90',
        origin: 'pebslab',
        path: 'kvm.pebs_enable_stuck.cpu3',
        status: 'FAIL',
        start_time: '2026-11-27T12:00:00.000Z',
        duration: 2.1,
        environment: {
          compatible: ['intel,emerald-rapids'],
          comment: 'Runtime: lab-a/host-17',
          misc: { platform: 'emerald-rapids' },
        },
        log_excerpt: 'R1: PMC0 is set in two snapshots (lines 4, 9)\n',
        misc: { runtime: 'lab-a', report: 'obs_1a', verdict: 'stuck' },
      },
    ],
  },
);

export const KcidbDocumentSchema = Type.Object(
  {
    version: Type.Object(
      {
        major: Type.Literal(5, { description: 'the major version' }),
        minor: Type.Literal(3, { description: 'the minor version' }),
      },
      { additionalProperties: false, description: 'of the format' },
    ),
    checkouts: Type.Array(ref(KcidbCheckoutSchema), {
      maxItems: TESTS_MAX,
      description: 'kernels',
    }),
    builds: Type.Array(ref(KcidbBuildSchema), { maxItems: TESTS_MAX, description: 'builds' }),
    tests: Type.Array(ref(KcidbTestSchema), { maxItems: TESTS_MAX, description: 'tests' }),
  },
  {
    $id: 'KcidbDocument',
    additionalProperties: false,
    description: 'a document of KCIDB 5.3, as it can be submitted to KernelCI',
    examples: [{ version: { major: 5, minor: 3 }, checkouts: [], builds: [], tests: [] }],
  },
);
export type KcidbDocument = Static<typeof KcidbDocumentSchema>;

const cursor = Type.String({
  pattern: '^[A-Za-z0-9_-]{4,64}$',
  minLength: 4,
  maxLength: 64,
  description: 'the next_cursor of the answer before',
  examples: ['NzQyLjE'],
});

export const KcidbExportQuerySchema = Type.Object(
  {
    after: Type.Optional(cursor),
    limit: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 50,
        description: 'the maximum number of observations',
        examples: [50],
      }),
    ),
  },
  {
    $id: 'KcidbExportQuery',
    additionalProperties: false,
    description: 'from where on, and how many',
    examples: [{ limit: 50 }],
  },
);

export const KcidbPageSchema = Type.Object(
  {
    items: Type.Array(ref(KcidbDocumentSchema), {
      maxItems: 100,
      description: 'a document for each observation, in the order in which they ended',
    }),
    next_cursor: prose('the cursor to continue from, also if there are no more yet', {
      maxLength: 64,
    }),
    has_more: Type.Boolean({ description: 'whether there are more' }),
  },
  {
    $id: 'KcidbPage',
    additionalProperties: false,
    description: 'finished observations as documents of KCIDB',
    examples: [{ items: [], next_cursor: 'NzQyLjE', has_more: false }],
  },
);
export type KcidbPage = Static<typeof KcidbPageSchema>;
