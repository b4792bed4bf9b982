/** The polling surface of PULL_LABS, as KernelCI's Maestro has it: more fields may be sent than are read. */
import { type Static, Type } from 'typebox';
import { count, nullable, oneOf, ref } from './common.js';
import { RunIdSchema } from './pool-job.js';

const word = (description: string) => Type.String({ minLength: 1, maxLength: 2000, description });
const STATES = ['available', 'running', 'done'] as const;
const RESULTS = ['pass', 'fail', 'skip', 'incomplete'] as const;
const time = () =>
  Type.String({
    pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z?$',
    maxLength: 31,
    description: 'a time in UTC, without its zone',
  });

export const NodeParamsSchema = Type.Object(
  { node: ref(RunIdSchema) },
  {
    $id: 'NodeParams',
    additionalProperties: false,
    description: 'the node',
    examples: [{ node: 'run_1a' }],
  },
);

export const PullLabsQuerySchema = Type.Object(
  {
    kind: Type.Optional(word('only jobs are listed, whatever else is asked for')),
    state: Type.Optional(word('available and done both mean runs that are available')),
    from: Type.Optional(time()),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 1000, description: 'how many' }),
  },
  {
    $id: 'PullLabsQuery',
    additionalProperties: true,
    description: 'which events; other parameters are ignored',
    examples: [
      { kind: 'job', state: 'available', from: '1970-01-01T00:00:00.000000', limit: 1000 },
    ],
  },
);

/** Made anew each time: what is shared would be told by reference in YAML. */
const node = () => ({
  id: ref(RunIdSchema),
  kind: oneOf(['job'], { description: 'the kind of node' }),
  name: word('the pool job'),
  path: Type.Array(word('a part'), { maxItems: 10, description: 'where it stands' }),
  group: word('the pool'),
  state: oneOf(STATES, { description: 'available, running or done' }),
  result: nullable(oneOf(RESULTS), 'null until it is done; incomplete: the lab failed'),
  owner: word('who made it'),
  data: Type.Object(
    {
      platform: word('the machine that is asked for, or the kind of machine'),
      runtime: word('the pool'),
      job_id: nullable(word('the holder'), 'who claimed it'),
      error_code: nullable(word('a code'), 'why the lab failed'),
    },
    { additionalProperties: false, description: 'what pollers choose by' },
  ),
});

const IN_SHORT = {
  kind: 'job',
  name: 'job_1a',
  path: ['lab-a', 'job_1a'],
  group: 'lab-a',
  state: 'available',
  result: null,
  owner: 'pebslab',
  data: { platform: 'any', runtime: 'lab-a', job_id: null, error_code: null },
} as const;

const EXAMPLE_NODE = {
  ...IN_SHORT,
  id: 'run_1a',
  parent: null,
  artifacts: { job_definition: 'https://pebslab.example/latest/job-definition/run_1a' },
  created: '2026-11-27T12:00:00.000',
  timeout: '2026-11-27T13:00:00.000',
} as const;

export const PullLabsNodeSchema = Type.Object(
  {
    ...node(),
    parent: nullable(word('a node'), 'always null: it has none'),
    artifacts: Type.Object(
      { job_definition: word('the address of the job') },
      { additionalProperties: false, description: 'addresses' },
    ),
    created: time(),
    timeout: time(),
  },
  {
    $id: 'PullLabsNode',
    additionalProperties: false,
    description: 'a run as a node of Maestro',
    examples: [EXAMPLE_NODE],
  },
);
export type PullLabsNode = Static<typeof PullLabsNodeSchema>;

export const PullLabsEventSchema = Type.Object(
  {
    id: word('the event'),
    timestamp: time(),
    sequence_id: count('grows with each event'),
    channel: word('always node'),
    owner: word('who made it'),
    data: Type.Object(
      { op: word('always created'), ...node() },
      { additionalProperties: false, description: 'the node in short' },
    ),
    node: ref(PullLabsNodeSchema),
  },
  {
    $id: 'PullLabsEvent',
    additionalProperties: false,
    description: 'a run has become available',
    examples: [
      {
        id: 'run_1a-0',
        timestamp: '2026-11-27T12:00:00.000001',
        sequence_id: 1795780800000001,
        channel: 'node',
        owner: 'pebslab',
        // Validators of OpenAPI 3.0 take an id for that of a schema, and it must not come twice.
        data: { op: 'created', ...IN_SHORT, id: 'run_1b' },
        node: EXAMPLE_NODE,
      },
    ],
  },
);
export type PullLabsEvent = Static<typeof PullLabsEventSchema>;

export const PullLabsEventsSchema = Type.Array(ref(PullLabsEventSchema), {
  $id: 'PullLabsEvents',
  maxItems: 1000,
  description: 'in the order of their timestamps, no two of which are the same',
  examples: [[]],
});

export const NodeRequestSchema = Type.Object(
  {
    state: Type.Optional(oneOf(STATES, { description: 'running claims it, done ends it' })),
    result: Type.Optional(nullable(oneOf(RESULTS), 'the result')),
    data: Type.Optional(
      nullable(
        Type.Object(
          {
            job_id: Type.Optional(nullable(word('a name'), 'a name for the claim')),
            error_code: Type.Optional(
              nullable(
                Type.String({ pattern: '^[ -~]{1,100}$', minLength: 1, maxLength: 100 }),
                'why the lab failed',
              ),
            ),
          },
          { additionalProperties: true },
        ),
        'the same data; other fields are ignored',
      ),
    ),
  },
  {
    $id: 'NodeRequest',
    additionalProperties: true,
    description: 'the node as it is to be; other fields are ignored',
    examples: [{ state: 'running' }, { state: 'done', result: 'pass' }],
  },
);
export type NodeRequest = Static<typeof NodeRequestSchema>;

export const PullLabsJobSchema = Type.Object(
  {
    artifacts: Type.Object({}, { additionalProperties: false, description: 'none' }),
    tests: Type.Array(
      Type.Object(
        {
          id: word('the run'),
          type: word('scenario, counterexample or script'),
          depends: Type.Array(word('a test'), { maxItems: 1, description: 'none' }),
          timeout_s: count('how long it may take'),
          'pre-commands': Type.Array(word('a command'), { maxItems: 1, description: 'none' }),
          'post-commands': Type.Array(word('a command'), { maxItems: 1, description: 'none' }),
        },
        { additionalProperties: false, description: 'a test' },
      ),
      { maxItems: 1, description: 'one' },
    ),
    environment: Type.Object(
      {
        platform: word('as in the node'),
        arch: word('x86_64'),
        requirements: Type.Array(word('a label'), { maxItems: 32, description: 'labels' }),
      },
      { additionalProperties: false, description: 'where to run it' },
    ),
    callback: Type.Object(
      { url: word('where results go'), token_name: word('the name of its token') },
      { additionalProperties: false, description: 'where to send the result' },
    ),
    parameters: Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), {
      maxProperties: 10,
      description: 'the run of the pool job: scenario, counterexample or script, and kernel',
    }),
  },
  {
    $id: 'PullLabsJob',
    additionalProperties: false,
    description: 'what a poller of PULL_LABS carries out',
    examples: [
      {
        artifacts: {},
        tests: [
          {
            id: 'run_1a',
            type: 'script',
            depends: [],
            timeout_s: 3600,
            'pre-commands': [],
            'post-commands': [],
          },
        ],
        environment: { platform: 'any', arch: 'x86_64', requirements: [] },
        callback: {
          url: 'https://pebslab.example/v1/callbacks/pull-labs?pool=lab-a&lease=lease_1a&fencing_token=1',
          token_name: 'pebslab',
        },
        parameters: { script: 'uname -a\n' },
      },
    ],
  },
);
export type PullLabsJob = Static<typeof PullLabsJobSchema>;

export const PullLabsUserSchema = Type.Object(
  {
    username: word('the name of the token'),
    is_superuser: Type.Boolean({ description: 'whether it may edit all nodes' }),
    groups: Type.Array(
      Type.Object(
        { name: word('a group') },
        { additionalProperties: false, description: 'a group' },
      ),
      { maxItems: 100_000, description: 'what it may edit' },
    ),
  },
  {
    $id: 'PullLabsUser',
    additionalProperties: false,
    description: 'whose token it is',
    examples: [
      { username: 'lab-a', is_superuser: false, groups: [{ name: 'runtime:lab-a:node-editor' }] },
    ],
  },
);
