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

/** SQLSTATE invalid_catalog_name and duplicate_database. */
const NO_SUCH_DATABASE = '3D000';
const DUPLICATE_DATABASE = '42P04';

export function urlOf(port: number, password: string): string {
  // Said here lest PGSSLMODE in the environment asks for what a loopback server has not.
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${DATABASE}?sslmode=disable`;
}

/** Returns undefined when the database answers, else the code of what was wrong. */
export async function ask(port: number, password: string): Promise<string | undefined> {
  try {
    await query(port, password, DATABASE, 'select 1').catch(async (error: unknown) => {
      if (codeOf(error) !== NO_SUCH_DATABASE) throw error;
      await createDatabase(port, password);
    });
    return undefined;
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
}

/** Encoding and locale are those of the cluster. */
async function createDatabase(port: number, password: string): Promise<void> {
  try {
    await query(port, password, 'postgres', `create database ${DATABASE}`);
  } catch (error) {
    if (codeOf(error) !== DUPLICATE_DATABASE) throw error;
  }
}

async function query(port: number, password: string, database: string, sql: string): Promise<void> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: ROLE,
    password,
    database,
    ssl: false,
    connectionTimeoutMillis: CONNECT_MILLIS_MAX,
    query_timeout: QUERY_MILLIS_MAX,
  });
  // A connection that breaks later than it is needed must not end the service.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    // A server that hangs never says goodbye.
    const goodbye = sleep(GOODBYE_MILLIS_MAX, undefined, { ref: false });
    await Promise.race([client.end().catch(() => {}), goodbye]);
  }
}
