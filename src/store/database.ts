/** The connection to PostgreSQL: a pool, typed queries on it, and notices from other instances. */
import { randomUUID } from 'node:crypto';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { DatabaseCheck } from './database-check.js';
import { migrate } from './migrations/index.js';
import { Notices } from './notices.js';
import type { Tables } from './tables.js';

/** Requests fail rather than wait longer for a connection, or for an answer. */
const CONNECT_MILLIS_MAX = 3000;
const QUERY_MILLIS_MAX = 10_000;
const CONNECTIONS_MAX = 10;

export interface Database {
  readonly url: string;
  /** Identifies this run of the service among all that share the database. */
  readonly life: string;
  readonly pool: pg.Pool;
  readonly query: Kysely<Tables>;
  readonly notices: Notices;
  /** Whether it can be used now, and if not, why. */
  check(): Promise<{ ok: boolean; detail?: string }>;
  close(): Promise<void>;
}

/** Connects and migrates the tables. Rejects if the server cannot be reached. */
export async function openDatabase(
  url: string,
  onError: (error: Error) => void = () => {},
): Promise<Database> {
  const pool = openPool(url, 'pebslab', CONNECTIONS_MAX, onError);
  const query = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const check = new DatabaseCheck(pool);
  const notices = new Notices(() => new pg.Client(connectionOptions(url)), onError);
  try {
    await migrate(query);
    await notices.start();
  } catch (error) {
    await notices.close();
    await pool.end();
    throw error;
  }
  return {
    url,
    life: randomUUID(),
    pool,
    query,
    notices,
    check: () => check.run(),
    close: async () => {
      await notices.close();
      await pool.end();
    },
  };
}

/** Typed queries on a separate pool; `destroy` closes it. */
export function openQueries(
  url: string,
  name: string,
  max: number,
  onError: (error: Error) => void,
): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: openPool(url, name, max, onError) }),
  });
}

function openPool(
  url: string,
  name: string,
  max: number,
  onError: (error: Error) => void,
): pg.Pool {
  const pool = new pg.Pool({ ...connectionOptions(url), application_name: name, max });
  // An idle connection that breaks is replaced at its next use.
  pool.on('error', onError);
  surviveBreaks(pool);
  return pool;
}

/**
 * The pool handles errors only of idle connections. Without this handler, a connection that breaks between two queries of a
 * transaction would end the process; with it, the next query fails.
 */
export function surviveBreaks(pool: pg.Pool): void {
  pool.on('connect', (client) => void client.on('error', () => {}));
}

export function connectionOptions(url: string): pg.PoolConfig {
  return {
    connectionString: url,
    // Firewalls drop connections that are idle for minutes, as the one for notices is.
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    application_name: 'pebslab',
    connectionTimeoutMillis: CONNECT_MILLIS_MAX,
    query_timeout: QUERY_MILLIS_MAX,
    statement_timeout: QUERY_MILLIS_MAX,
    types: { getTypeParser },
    // The statements are few and touch few rows: planning them each time costs more than executing them.
    options: '-c plan_cache_mode=force_generic_plan',
  };
}

const INT8 = 20;

/** Counts and sequence numbers stay below 2^53, so an int8 is read as a number. */
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  return oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text');
}
