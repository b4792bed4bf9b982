/** The values that all instances of a database share: counted in it, and exported by one of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkQueue } from '../../jobs/work-queue.js';
import type { Database } from '../../store/database.js';
import {
  type DatabaseValues,
  type ExporterSeat,
  readDatabaseValues,
} from '../../store/database-values.js';
import type { Lane } from '../../store/tables.js';
import type { Meters } from './meters.js';

/** A scrape does not wait longer for the database: it has more to say. */
const WAIT_MILLIS = 2000;

export interface Shared extends DatabaseValues {
  readonly queueDepth: Readonly<Record<Lane, number>>;
}

export class SharedValues {
  constructor(
    private readonly database: Database,
    private readonly queue: WorkQueue,
    private readonly seat: ExporterSeat,
  ) {}

  async read(): Promise<Shared> {
    const [values, queueDepth] = await Promise.all([
      readDatabaseValues(this.database),
      this.queue.depths(),
    ]);
    return { ...values, queueDepth };
  }

  /** Nothing is exported by the instances without the seat, and by none while the database is away. */
  async exportTo(meters: Meters): Promise<void> {
    const late = sleep(WAIT_MILLIS, undefined, { ref: false });
    const shared = await Promise.race([this.ofSeat().catch(() => undefined), late]);
    if (shared === undefined) {
      for (const name of NAMES) meters.clear(name);
      return;
    }
    const { hosts, observationBytes, explorations, campaigns, explanations, queueDepth } = shared;
    meters.set('pebslab_hosts', hosts);
    meters.set('pebslab_observation_bytes', observationBytes);
    for (const state of ['queued', 'running'] as const) {
      meters.set('pebslab_explorations', explorations[state], { state });
      meters.set('pebslab_campaigns', campaigns[state], { state });
      meters.set('pebslab_explanations', explanations[state], { state });
    }
    meters.set('pebslab_explorations', explorations.paused, { state: 'paused' });
    for (const [queue, depth] of Object.entries(queueDepth)) {
      meters.set('pebslab_queue_depth', depth, { queue });
    }
  }

  private async ofSeat(): Promise<Shared | undefined> {
    return (await this.seat.take()) ? this.read() : undefined;
  }
}

const NAMES = [
  'pebslab_hosts',
  'pebslab_observation_bytes',
  'pebslab_explorations',
  'pebslab_campaigns',
  'pebslab_explanations',
  'pebslab_queue_depth',
] as const;
