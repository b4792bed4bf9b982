/**
 * Every metric of the service, once: what it counts, its labels, and how a dashboard shows it. What is added here is
 * exported by /metrics and drawn by the generated dashboard.
 *
 * Labels come from closed sets (a kernel, a register, a verdict), never from ids or names, which clients choose freely.
 */
export interface MetricSpec {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels?: readonly string[];
  readonly buckets?: readonly number[];
  /**
   * A value of the database, which all instances share: one of them exports it, so that `sum()` over instances does not
   * count it twice.
   */
  readonly ofDatabase?: true;
  readonly panel: Panel;
}

/** The rows of the dashboard, from the top. */
export const ROWS = [
  'Simulated machines',
  'Real machines',
  'Searches',
  'Workers',
  'Service',
  'Process',
] as const;

export interface Panel {
  readonly row: (typeof ROWS)[number];
  readonly title: string;
  /** A time series by default. */
  readonly type?: 'stat' | 'table';
  /** As Grafana names it. */
  readonly unit?: string;
  /** The labels to tell apart; those of the metric by default. */
  readonly by?: readonly string[];
  /** Instead of what is usual for the kind: the rate of a counter, the sum of a gauge, a percentile of a histogram. */
  readonly expr?: string;
}

/** The series of a metric in PromQL, of the services that the dashboard looks at. */
export function series(name: string): string {
  return `${name}{job=~"$job"}`;
}

export function sumBy(by: readonly string[], vector: string): string {
  return by.length === 0 ? `sum(${vector})` : `sum by (${by.join(', ')}) (${vector})`;
}

/** Per second. */
export function rate(name: string): string {
  return `rate(${series(name)}[$__rate_interval])`;
}

const PAIR = ['kernel', 'platform_class'] as const;

export const METRICS = {
  pebslab_round_trip_msr_writes_total: {
    kind: 'counter',
    help: 'WRMSRs by KVM and loads from MSR-load areas in round trips',
    labels: PAIR,
    panel: {
      row: 'Simulated machines',
      title: 'MSR writes per round trip',
      expr: `${sumBy(PAIR, rate('pebslab_round_trip_msr_writes_total'))} / ${sumBy(PAIR, rate('pebslab_round_trips_total'))}`,
    },
  },
  pebslab_violations_total: {
    kind: 'counter',
    help: 'Violations: episodes on hosts, explorations, walks of campaigns',
    labels: ['invariant', 'origin'],
    panel: {
      row: 'Simulated machines',
      title: 'Violations in the range shown',
      type: 'table',
      expr: `sum by (invariant, origin) (increase(${series('pebslab_violations_total')}[$__range])) > 0`,
    },
  },
  pebslab_build_info: {
    kind: 'gauge',
    help: 'Always 1; which version runs in which role',
    labels: ['version', 'role'],
    panel: { row: 'Service', title: 'Instances', type: 'stat' },
  },
  pebslab_hosts: {
    kind: 'gauge',
    help: 'Simulated hosts in the database',
    ofDatabase: true,
    panel: { row: 'Simulated machines', title: 'Hosts', type: 'stat' },
  },
  pebslab_vm_entries_total: {
    kind: 'counter',
    help: 'VM-entries of simulated guests',
    panel: { row: 'Simulated machines', title: 'VM-entries', unit: 'ops' },
  },
  pebslab_round_trips_total: {
    kind: 'counter',
    help: 'VM-exits that followed a VM-entry',
    labels: PAIR,
    panel: { row: 'Simulated machines', title: 'Round trips', unit: 'ops' },
  },
  pebslab_msr_writes_total: {
    kind: 'counter',
    help: 'Simulated MSR writes',
    labels: ['msr', 'via', 'cause'],
    panel: { row: 'Simulated machines', title: 'MSR writes', unit: 'ops' },
  },
  pebslab_nmis_total: {
    kind: 'counter',
    help: 'Simulated NMIs',
    panel: { row: 'Simulated machines', title: 'NMIs', unit: 'ops' },
  },
  pebslab_throttles_total: {
    kind: 'counter',
    help: 'Events throttled by simulated NMI handlers',
    panel: { row: 'Simulated machines', title: 'Throttles', unit: 'ops' },
  },
  pebslab_observations_total: {
    kind: 'counter',
    help: 'Texts of real machines that were read, dry runs included',
    labels: ['format', 'verdict'],
    panel: { row: 'Real machines', title: 'Observations', unit: 'ops' },
  },
  pebslab_ingest_lines_total: {
    kind: 'counter',
    help: 'Lines of these texts by what came of them: a record, a reject, or nothing',
    labels: ['format', 'outcome'],
    panel: { row: 'Real machines', title: 'Lines read', unit: 'ops' },
  },
  pebslab_observation_bytes: {
    kind: 'gauge',
    help: 'Compressed texts of real machines in the database',
    ofDatabase: true,
    panel: { row: 'Real machines', title: 'Texts stored', unit: 'bytes' },
  },
  pebslab_explanations: {
    kind: 'gauge',
    help: 'Unfinished explanations in the database',
    labels: ['state'],
    ofDatabase: true,
    panel: { row: 'Real machines', title: 'Explanations' },
  },
  pebslab_explanations_ended_total: {
    kind: 'counter',
    help: 'Explanations that ended',
    labels: ['state', 'verdict'],
    panel: { row: 'Real machines', title: 'Explanations ended', unit: 'ops' },
  },
  pebslab_explorations: {
    kind: 'gauge',
    help: 'Unfinished explorations in the database',
    labels: ['state'],
    ofDatabase: true,
    panel: { row: 'Searches', title: 'Explorations' },
  },
  pebslab_explorations_ended_total: {
    kind: 'counter',
    help: 'Explorations that ended',
    labels: ['state', 'verdict'],
    panel: { row: 'Searches', title: 'Explorations ended', unit: 'ops' },
  },
  pebslab_search_states_total: {
    kind: 'counter',
    help: 'Distinct states found by searches; of random walks the steps',
    panel: { row: 'Searches', title: 'States found', unit: 'ops' },
  },
  pebslab_search_states_per_second: {
    kind: 'gauge',
    help: 'States per second of the searches that run now',
    panel: { row: 'Searches', title: 'States per second of running searches', unit: 'ops' },
  },
  pebslab_campaigns: {
    kind: 'gauge',
    help: 'Unfinished campaigns in the database',
    labels: ['state'],
    ofDatabase: true,
    panel: { row: 'Searches', title: 'Campaigns' },
  },
  pebslab_campaigns_ended_total: {
    kind: 'counter',
    help: 'Campaigns that ended',
    labels: ['state', 'verdict'],
    panel: { row: 'Searches', title: 'Campaigns ended', unit: 'ops' },
  },
  pebslab_campaign_walks_total: {
    kind: 'counter',
    help: 'Walks of campaigns',
    panel: { row: 'Searches', title: 'Walks', unit: 'ops' },
  },
  pebslab_campaign_violating_walks_total: {
    kind: 'counter',
    help: 'Walks of campaigns that violated an invariant',
    panel: { row: 'Searches', title: 'Violating walks', unit: 'ops' },
  },
  pebslab_queue_depth: {
    kind: 'gauge',
    help: 'Jobs that wait in the queue',
    labels: ['queue'],
    ofDatabase: true,
    panel: { row: 'Workers', title: 'Queue depth' },
  },
  pebslab_jobs_running: {
    kind: 'gauge',
    help: 'Jobs that this instance runs',
    labels: ['queue'],
    panel: { row: 'Workers', title: 'Jobs running' },
  },
  pebslab_jobs_taken_over_total: {
    kind: 'counter',
    help: 'Jobs taken over from a worker that died',
    labels: ['queue'],
    panel: { row: 'Workers', title: 'Jobs taken over', unit: 'ops' },
  },
  pebslab_worker_slots: {
    kind: 'gauge',
    help: 'Jobs that this instance can run at once',
    labels: ['queue'],
    panel: { row: 'Workers', title: 'Worker slots' },
  },
  pebslab_worker_busy_seconds_total: {
    kind: 'counter',
    help: 'Time spent in jobs, added up over slots',
    labels: ['queue'],
    panel: {
      row: 'Workers',
      title: 'Workers busy',
      unit: 'percentunit',
      expr: `${sumBy(['queue'], rate('pebslab_worker_busy_seconds_total'))} / ${sumBy(['queue'], series('pebslab_worker_slots'))}`,
    },
  },
  pebslab_commit_duration_seconds: {
    kind: 'histogram',
    help: 'Time to commit a group of changes of hosts',
    buckets: [0.005, 0.05, 0.25, 1],
    panel: { row: 'Service', title: 'Commit latency, 95th percentile', unit: 's' },
  },
  pebslab_commit_group_size: {
    kind: 'histogram',
    help: 'Changes committed together',
    buckets: [1, 8, 64],
    panel: {
      row: 'Service',
      title: 'Changes per commit',
      expr: `${sumBy([], rate('pebslab_commit_group_size_sum'))} / ${sumBy([], rate('pebslab_commit_group_size_count'))}`,
    },
  },
  pebslab_database_pool: {
    kind: 'gauge',
    help: 'Connections idle and used, and requests waiting for one',
    labels: ['state'],
    panel: { row: 'Service', title: 'Database connections' },
  },
  http_requests_total: {
    kind: 'counter',
    help: 'Requests answered',
    labels: ['route', 'status'],
    panel: { row: 'Service', title: 'Requests', unit: 'reqps' },
  },
  http_request_duration_seconds: {
    kind: 'histogram',
    help: 'Time from the first byte of a request under /v1 to the last of its answer',
    labels: ['route'],
    buckets: [0.005, 0.05, 0.5, 5],
    panel: { row: 'Service', title: 'Request latency, 95th percentile', unit: 's' },
  },
  pebslab_too_many_requests_total: {
    kind: 'counter',
    help: 'Requests answered with 429',
    panel: { row: 'Service', title: 'Answers 429', unit: 'reqps' },
  },
  pebslab_idempotent_replays_total: {
    kind: 'counter',
    help: 'Answers repeated for an Idempotency-Key',
    panel: { row: 'Service', title: 'Idempotent replays', unit: 'reqps' },
  },
  pebslab_sse_listeners: {
    kind: 'gauge',
    help: 'Open event streams',
    panel: { row: 'Service', title: 'Event streams' },
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;

/** Those of the process, counted by prom-client, which has many more. */
export const PROCESS_METRICS = {
  process_cpu_seconds_total: {
    kind: 'counter',
    panel: { row: 'Process', title: 'CPU', unit: 'percentunit', by: ['instance'] },
  },
  process_resident_memory_bytes: {
    kind: 'gauge',
    panel: { row: 'Process', title: 'Memory', unit: 'bytes', by: ['instance'] },
  },
  nodejs_heap_size_used_bytes: {
    kind: 'gauge',
    panel: { row: 'Process', title: 'JavaScript heap', unit: 'bytes', by: ['instance'] },
  },
  nodejs_eventloop_lag_p99_seconds: {
    kind: 'gauge',
    panel: {
      row: 'Process',
      title: 'Event loop lag, 99th percentile',
      unit: 's',
      by: ['instance'],
    },
  },
  process_open_fds: {
    kind: 'gauge',
    panel: { row: 'Process', title: 'Open files', by: ['instance'] },
  },
  process_start_time_seconds: {
    kind: 'gauge',
    panel: {
      row: 'Process',
      title: 'Uptime',
      type: 'stat',
      unit: 's',
      by: ['instance'],
      expr: `time() - max by (instance) (${series('process_start_time_seconds')})`,
    },
  },
} as const satisfies Record<string, Pick<MetricSpec, 'kind' | 'panel'>>;
