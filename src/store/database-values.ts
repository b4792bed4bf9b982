/** The counts of the database that monitoring shows, and which of its instances exports them. */
import { sql } from 'kysely';
import pg from 'pg';
import { connectionOptions, type Database, surviveBreaks } from './database.js';

export interface DatabaseValues {
  readonly hosts: number;
  /** Of the texts of real machines, as they are stored. */
  readonly observationBytes: number;
  /** Unfinished, by state. */
  readonly explorations: Unfinished;
  readonly campaigns: Unfinished;
  readonly explanations: Unfinished;
}

export interface Unfinished {
  readonly queued: number;
  readonly running: number;
  /** Only explorations pause. */
  readonly paused: number;
}

export async function readDatabaseValues({ query }: Database): Promise<DatabaseValues> {
  const { rows } = await sql<{ what: string; count: number }>`
    select 'hosts' as what, count(*) from hosts
    union all
    select 'observation bytes', coalesce(sum(stored_bytes), 0)::bigint from observations
    union all
    select 'explorations ' || state, count(*) from explorations where finished_at is null group by state
    union all
    select 'campaigns ' || state, count(*) from campaigns where finished_at is null group by state
    union all
    select 'explanations ' || state, count(*) from explanations where finished_at is null group by state`.execute(
    query,
  );
  const count = (what: string): number => rows.find((row) => row.what === what)?.count ?? 0;
  const unfinished = (table: string): Unfinished => ({
    queued: count(`${table} queued`),
    running: count(`${table} running`),
    paused: count(`${table} paused`),
  });
  return {
    hosts: count('hosts'),
    observationBytes: count('observation bytes'),
    explorations: unfinished('explorations'),
    campaigns: unfinished('campaigns'),
    explanations: unfinished('explanations'),
  };
}

/** Whoever has not exported for so long leaves the seat to others. */
const SEAT_MILLIS = 120_000;

/**
 * The one instance of a database that exports the values of the whole. The seat is an advisory lock of a session of its own:
 * the first instance that is scraped takes it, and loses it when it dies or is scraped no more.
 */
export class ExporterSeat {
  private readonly session: pg.Pool;

  constructor(url: string, onError: (error: Error) => void, seatMillis = SEAT_MILLIS) {
    this.session = new pg.Pool({
      ...connectionOptions(url),
      application_name: 'pebslab exporter',
      max: 1,
      idleTimeoutMillis: seatMillis,
      // Locking is no reason to keep the process alive.
      allowExitOnIdle: true,
    });
    this.session.on('error', onError);
    surviveBreaks(this.session);
  }

  /** Whether this instance has the seat now. */
  async take(): Promise<boolean> {
    const { rows } = await this.session.query<{ held: boolean }>({
      name: 'take_seat',
      // A session may take its own lock again.
      text: `select pg_try_advisory_lock(hashtext('pebslab exporter')) as held`,
    });
    return rows[0]?.held === true;
  }

  async close(): Promise<void> {
    await this.session.end();
  }
}
