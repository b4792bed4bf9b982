/** Checks whether the server answers, and creates the database the first time. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ROLE } from './cluster.js';
import { codeOf } from './data-dir.js';

export const DATABASE = 'pebslab';

const CONNECT_MILLIS_MAX = 2_000;
/** Enough for a slow disk to create a database. */
const QUERY_MILLIS_MAX = 30_000;
const GOODBYE_MILLIS_MAX = 500;

export function urlOf(port: number, password: string): string {
  // Explicit, so that PGSSLMODE in the environment cannot request SSL, which a loopback server lacks.
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${DATABASE}?sslmode=disable`;
}

/** Returns undefined if the server answers and has the database, otherwise the error. */
export async function ask(port: number, password: string): Promise<string | undefined> {
  // Not the database itself: if it does not exist yet, connecting would log a FATAL on the first start.
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
  // A connection that breaks after its last use must not end the service.
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
    // A server that hangs never closes the connection.
    const goodbye = sleep(GOODBYE_MILLIS_MAX, undefined, { ref: false });
    await Promise.race([client.end().catch(() => {}), goodbye]);
  }
}
