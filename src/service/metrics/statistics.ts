/** The numbers of the service as one flat object, and their history. */
import {
  ROWS_MAX,
  SAMPLE_SECONDS,
  SAMPLES_KEPT,
  STAT_NAMES,
  type StatName,
  type Stats,
  type Timeseries,
} from '../../../schemas/monitoring.js';
import { queryRefused } from '../problem-error.js';
import { History } from './history.js';
import type { Meters } from './meters.js';
import type { SharedValues } from './shared-values.js';

/** What this instance counts, by the names of its metrics. */
const COUNTED = {
  vm_entries: 'pebslab_vm_entries_total',
  round_trips: 'pebslab_round_trips_total',
  round_trip_msr_writes: 'pebslab_round_trip_msr_writes_total',
  msr_writes: 'pebslab_msr_writes_total',
  nmis: 'pebslab_nmis_total',
  throttles: 'pebslab_throttles_total',
  violations: 'pebslab_violations_total',
  explorations_ended: 'pebslab_explorations_ended_total',
  campaigns_ended: 'pebslab_campaigns_ended_total',
  states: 'pebslab_search_states_total',
  states_per_second: 'pebslab_search_states_per_second',
  walks: 'pebslab_campaign_walks_total',
  violating_walks: 'pebslab_campaign_violating_walks_total',
  jobs_running: 'pebslab_jobs_running',
  jobs_taken_over: 'pebslab_jobs_taken_over_total',
  requests: 'http_requests_total',
  too_many_requests: 'pebslab_too_many_requests_total',
  sse_listeners: 'pebslab_sse_listeners',
} as const;

const SAMPLE_MILLIS = SAMPLE_SECONDS * 1000;
const RANGE_MILLIS = 3_600_000;
const ROWS_DEFAULT = 500;

interface Asked {
  readonly metric: StatName;
  readonly from?: string;
  readonly to?: string;
  readonly step?: number;
}

export class Statistics {
  private readonly history = new History(SAMPLES_KEPT, STAT_NAMES);
  private readonly startedAt = Date.now();
  private sampling: NodeJS.Timeout | undefined;

  constructor(
    private readonly meters: Meters,
    private readonly shared: SharedValues,
  ) {}

  start(): void {
    const sample = (): void => {
      // While the database is away there are no samples.
      this.numbers()
        .then((numbers) => this.history.add(Date.now(), numbers))
        .catch(() => {});
    };
    sample();
    this.sampling = setInterval(sample, SAMPLE_MILLIS).unref();
  }

  stop(): void {
    clearInterval(this.sampling);
  }

  async now(): Promise<Stats> {
    const numbers = await this.numbers();
    const now = Date.now();
    const uptime_seconds = (now - this.startedAt) / 1000;
    return { time: new Date(now).toISOString(), uptime_seconds, ...numbers };
  }

  timeseries({ metric, from, to, step }: Asked): Timeseries {
    const end = to === undefined ? Date.now() : millisOf(to, 'to');
    const begin = from === undefined ? end - RANGE_MILLIS : millisOf(from, 'from');
    if (begin > end) throw queryRefused('rule_violated', 'from', 'is after the end');
    const range = end - begin;
    const millis = step === undefined ? defaultStep(range) : step * 1000;
    if (range / millis >= ROWS_MAX) {
      const least = Math.ceil(range / 1000 / (ROWS_MAX - 1));
      throw queryRefused(
        'rule_violated',
        'step',
        `makes more than ${ROWS_MAX} rows of this range; at least ${least} fit`,
      );
    }
    return this.history
      .rows(metric, begin, end, millis)
      .map(({ time, value }) => ({ time: new Date(time).toISOString(), metric, value }));
  }

  private async numbers(): Promise<Record<StatName, number>> {
    const [{ hosts, explorations, campaigns, queueDepth }, totals] = await Promise.all([
      this.shared.read(),
      this.meters.totals(Object.values(COUNTED)),
    ]);
    const counted = Object.entries(COUNTED).map(([field, name]) => [field, totals[name]]);
    return {
      hosts,
      explorations_queued: explorations.queued,
      explorations_running: explorations.running,
      campaigns_queued: campaigns.queued,
      campaigns_running: campaigns.running,
      queue_depth: queueDepth.small + queueDepth.work,
      ...(Object.fromEntries(counted) as Record<keyof typeof COUNTED, number>),
    };
  }
}

/** In whole samples. */
function defaultStep(range: number): number {
  return Math.max(1, Math.ceil(range / ROWS_DEFAULT / SAMPLE_MILLIS)) * SAMPLE_MILLIS;
}

function millisOf(text: string, parameter: string): number {
  const millis = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(millis)) throw queryRefused('rule_violated', parameter, 'is no time');
  return millis;
}
