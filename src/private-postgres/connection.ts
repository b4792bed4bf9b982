/** Asks the server whether it is there, and makes the database the first time. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ROLE } from './cluster.js';
import { codeOf } from './data-dir.js';

export const DATABASE = 'pebslab';

const CONNECT_MILLIS_MAX = 2_000;
/** Room for a slow disk to take a new database. */
const QUERY_MILLIS_MAX = 30_000;
const GOODBYE_MILLIS_MAX = 500;

export function urlOf(port: number, password: string): string {
  // Said here lest PGSSLMODE in the environment asks for what a loopback server has not.
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${DATABASE}?sslmode=disable`;
}

/** Returns undefined when the server answers and has the database, else what was wrong. */
export async function ask(port: number, password: string): Promise<string | undefined> {
  // Not the database itself: asked for in vain, it would leave a FATAL in the log of a first start.
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: ROLE,
    password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: CONNECT_MILLIS_MAX,
    query_timeout: QUERY_MILLIS_MAX,
  });
  // A connection that breaks later than it is needed must not end the service.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query(
      `select from pg_database where datname = '${DATABASE}'`,
    );
    // Encoding and locale are those of the cluster.
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
    return undefined;
  } catch (error) {
    return codeOf(error) ?? String(error);
  } finally {
    // A server that hangs never says goodbye.
    const goodbye = sleep(GOODBYE_MILLIS_MAX, undefined, { ref: false });
    await Promise.race([client.end().catch(() => {}), goodbye]);
  }
}
