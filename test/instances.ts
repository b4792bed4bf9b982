/** Several instances of the service on one database, as behind a load balancer: each with connections of its own. */
import type { FastifyInstance } from 'fastify';
import pg from 'pg';
import type { Test } from 'tap';
import { buildApp } from '../src/app.js';
import { type Config, DEFAULT_CONFIG } from '../src/config/configuration.js';
import { type Database, openDatabase } from '../src/store/database.js';
import { createDatabase, dropDatabase } from './postgres.js';

export interface Instance {
  readonly app: FastifyInstance;
  /** Stops it as the process does on SIGTERM; the end of the test does so, too. */
  close(): Promise<void>;
}

/** The address of an empty database that is dropped again. */
export async function emptyDatabase(t: Pick<Test, 'teardown'>): Promise<string> {
  const url = await createDatabase();
  t.teardown(() => dropDatabase(url));
  return url;
}

/** Connections as another instance has them. */
export async function connect(t: Pick<Test, 'teardown'>, url: string): Promise<Database> {
  const database = await openDatabase(url);
  t.teardown(() => database.close());
  return database;
}

/** A session to look and to meddle with, beside those of the service. */
export async function meddler(t: Pick<Test, 'teardown'>, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'meddler' });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

export async function startInstance(
  t: Pick<Test, 'teardown'>,
  url: string,
  config: Partial<Config> = {},
): Promise<Instance> {
  const database = await openDatabase(url);
  const app = await buildApp({
    // Nothing is written where tests are run.
    config: { ...DEFAULT_CONFIG, checkpointMegabytes: 0, ...config },
    storage: { database, isPrivate: false },
  });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= app.close().then(() => database.close());
    return closed;
  };
  t.teardown(close);
  await app.ready();
  return { app, close };
}

/** Asks again and again until the answer is the wanted one; the last answer where it never is. */
export async function eventually<Answer>(
  ask: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
  millisMax = 120_000,
): Promise<Answer> {
  const until = performance.now() + millisMax;
  for (;;) {
    const answer = await ask();
    if (wanted(answer) || performance.now() > until) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
