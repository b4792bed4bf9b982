/** Databases for tests, on the PostgreSQL server that the run started (test/with-postgres.ts). */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

const VARIABLE = 'TEST_POSTGRES_URL';

function serverUrl(): string {
  const url = process.env[VARIABLE];
  if (url === undefined) throw new Error(`${VARIABLE} is not set: run tests by npm run tap`);
  return url;
}

/** Makes an empty database and returns its address. */
export async function createDatabase(): Promise<string> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await onServer(`create database ${name}`);
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}

export async function dropDatabase(url: string): Promise<void> {
  await onServer(`drop database if exists ${new URL(url).pathname.slice(1)} with (force)`);
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
