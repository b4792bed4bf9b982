/** What dashboards and scrapers read besides /metrics: one flat object, its history, and what there is to scrape. */
import { type Static, Type } from 'typebox';
import { oneOf, ref, TimestampSchema } from './common.js';

/** The numbers of the service, each with its history. Those of the database are the same on every instance. */
export const STATS = {
  hosts: 'simulated hosts in the database',
  explorations_queued: 'explorations in the database that wait',
  explorations_running: 'explorations in the database that run',
  campaigns_queued: 'campaigns in the database that wait',
  campaigns_running: 'campaigns in the database that run',
  queue_depth: 'jobs that wait',
  vm_entries: 'VM-entries of simulated guests',
  round_trips: 'VM-exits that followed a VM-entry',
  round_trip_msr_writes: 'WRMSRs by KVM and loads from MSR-load areas in round trips',
  msr_writes: 'simulated MSR writes',
  nmis: 'simulated NMIs',
  throttles: 'events that a simulated NMI handler throttled',
  violations: 'violations on hosts, by explorations and by walks',
  explorations_ended: 'explorations that ended',
  campaigns_ended: 'campaigns that ended',
  states: 'distinct states that searches found',
  states_per_second: 'states per second of the searches that run now',
  walks: 'walks of campaigns',
  violating_walks: 'walks of campaigns that violated an invariant',
  jobs_running: 'jobs that this instance runs',
  jobs_taken_over: 'jobs taken over from workers that died',
  requests: 'requests answered',
  too_many_requests: 'requests answered with 429',
  sse_listeners: 'open event streams',
} as const;
export type StatName = keyof typeof STATS;
export const STAT_NAMES = Object.keys(STATS) as StatName[];

const amount = (description: string) => Type.Number({ minimum: 0, maximum: 1e18, description });

const numbers = Object.fromEntries(
  Object.entries(STATS).map(([name, description]) => [name, amount(description)]),
) as Record<StatName, ReturnType<typeof amount>>;

export const StatsSchema = Type.Object(
  {
    time: ref(TimestampSchema, 'when this was read'),
    uptime_seconds: amount('how long this instance has run'),
    ...numbers,
  },
  {
    $id: 'Stats',
    additionalProperties: false,
    description:
      'the numbers of the service in one flat object: of the database, and what this instance has counted since it started',
    examples: [
      {
        time: '2026-11-27T12:00:00.000Z',
        uptime_seconds: 3600,
        ...(Object.fromEntries(STAT_NAMES.map((name) => [name, 0])) as Record<StatName, number>),
      },
    ],
  },
);
export type Stats = Static<typeof StatsSchema>;

/** How often a sample is taken, and how many are kept: a day. */
export const SAMPLE_SECONDS = 10;
export const SAMPLES_KEPT = 8640;
export const ROWS_MAX = 1000;

const moment = (description: string) =>
  Type.String({
    pattern:
      '^([0-9]{1,14}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2}))$',
    maxLength: 40,
    description: `${description}: RFC 3339, or milliseconds since 1970`,
  });

export const TimeseriesQuerySchema = Type.Object(
  {
    metric: oneOf(STAT_NAMES, { description: 'a field of /v1/stats' }),
    from: Type.Optional(moment('the beginning, an hour before the end by default')),
    to: Type.Optional(moment('the end, now by default')),
    step: Type.Optional(
      Type.Integer({
        minimum: SAMPLE_SECONDS,
        maximum: 86_400,
        description: `seconds between rows; by default as few as give at most 500 rows. More than ${ROWS_MAX} rows are refused`,
      }),
    ),
  },
  {
    $id: 'TimeseriesQuery',
    additionalProperties: false,
    description: 'which number, and when',
    examples: [{ metric: 'round_trips', from: '2026-11-27T11:00:00Z', step: 60 }],
  },
);

export const TimeseriesRowSchema = Type.Object(
  {
    time: ref(TimestampSchema),
    metric: oneOf(STAT_NAMES, { description: 'a field of /v1/stats' }),
    value: amount('what it was; what is counted only grows until the instance restarts'),
  },
  {
    $id: 'TimeseriesRow',
    additionalProperties: false,
    description: 'a number at a time',
    examples: [{ time: '2026-11-27T12:00:00.000Z', metric: 'round_trips', value: 12 }],
  },
);

export const TimeseriesSchema = Type.Array(ref(TimeseriesRowSchema), {
  $id: 'Timeseries',
  maxItems: ROWS_MAX,
  description: `the newest sample up to each step, oldest first. This instance keeps one sample every ${SAMPLE_SECONDS} seconds in memory, ${SAMPLES_KEPT} of them: a day, since it started`,
  examples: [[{ time: '2026-11-27T12:00:00.000Z', metric: 'round_trips', value: 12 }]],
});
export type Timeseries = Static<typeof TimeseriesSchema>;

export const TARGET_HOSTS_MAX = 1000;

export const TargetsQuerySchema = Type.Object(
  {
    hosts: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: TARGET_HOSTS_MAX,
        default: 0,
        description: 'how many simulated hosts to list besides the service, the newest',
      }),
    ),
  },
  {
    $id: 'TargetsQuery',
    additionalProperties: false,
    description: 'what to list',
    examples: [{ hosts: 20 }],
  },
);

export const TargetGroupSchema = Type.Object(
  {
    targets: Type.Array(Type.String({ minLength: 1, maxLength: 300, description: 'host:port' }), {
      minItems: 1,
      maxItems: 1,
      description: 'the address by which this service was asked',
    }),
    labels: Type.Record(
      Type.String({ pattern: '^[a-z_]{1,40}$' }),
      Type.String({ maxLength: 200 }),
      {
        maxProperties: 10,
        description: 'labels of the target; those with __ say how to scrape it',
      },
    ),
  },
  {
    $id: 'TargetGroup',
    additionalProperties: false,
    description: 'something to scrape',
    examples: [{ targets: ['127.0.0.1:8080'], labels: { role: 'all' } }],
  },
);

export const TargetsSchema = Type.Array(ref(TargetGroupSchema), {
  $id: 'Targets',
  maxItems: TARGET_HOSTS_MAX + 1,
  description: 'everything there is to scrape here, as Prometheus wants it for http_sd_configs',
  examples: [[{ targets: ['127.0.0.1:8080'], labels: { role: 'all' } }]],
});
export type Targets = Static<typeof TargetsSchema>;

export const GrafanaDashboardSchema = Type.Object(
  {
    uid: Type.String({ minLength: 1, maxLength: 40, description: 'the same in every Grafana' }),
    title: Type.String({ minLength: 1, maxLength: 100, description: 'its title' }),
    schemaVersion: Type.Integer({
      minimum: 41,
      maximum: 41,
      description: 'of the dashboard JSON of Grafana',
    }),
  },
  {
    $id: 'GrafanaDashboard',
    additionalProperties: true,
    description: 'a dashboard as Grafana imports it',
    examples: [{ uid: 'pebslab', title: 'pebslab', schemaVersion: 41 }],
  },
);
