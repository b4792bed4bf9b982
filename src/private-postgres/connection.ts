/** Checks whether the server answers, and creates the database the first time. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { codeOf } from './data-dir.js';

/** Who connects; the role and its database are called the same. */
export interface Login {
  readonly name: string;
  readonly password: string;
}

const CONNECT_MILLIS_MAX = 2_000;
/** Enough for a slow disk to create a database. */
const QUERY_MILLIS_MAX = 30_000;
const GOODBYE_MILLIS_MAX = 500;

export function urlOf(port: number, { name, password }: Login): string {
  // Said here lest PGSSLMODE in the environment asks for what a loopback server has not.
  return `postgres://${name}:${password}@127.0.0.1:${port}/${name}?sslmode=disable`;
}

/** Returns undefined when the server answers and has the database, else what was wrong. */
export async function ask(port: number, { name, password }: Login): Promise<string | undefined> {
  // Not the database itself: asked for in vain, it would leave a FATAL in the log of a first start.
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: name,
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
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    // Encoding and locale are those of the cluster.
    if (rowCount === 0) await client.query(`create database ${name}`);
    return undefined;
  } catch (error) {
    return codeOf(error) ?? String(error);
  } finally {
    // A server that hangs never closes the connection.
    const goodbye = sleep(GOODBYE_MILLIS_MAX, undefined, { ref: false });
    await Promise.race([client.end().catch(() => {}), goodbye]);
  }
}
