/** Builds apps and checks answers; tests go through `inject`, so none needs a port. */
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import root, { type Test } from 'tap';
import type { Static, TSchema } from 'typebox';
import { type Problem, ProblemSchema } from '../schemas/problem.js';
import { PROBLEMS, type ProblemCode } from '../schemas/problem-codes.js';
import { type BuildOptions, buildApp } from '../src/app.js';
import { DEFAULT_CONFIG } from '../src/config/configuration.js';
import type { Storage } from '../src/storage.js';
import { openDatabase } from '../src/store/database.js';
import { faults } from './faults.js';
import { createDatabase, dropDatabase } from './postgres.js';

let shared: Promise<Storage> | undefined;

/** The database of this test file, on the server that was started for the whole run. */
function sharedStorage(): Promise<Storage> {
  shared ??= freshStorage(root);
  return shared;
}

/** An empty database that is dropped again. */
export async function freshStorage(t: Pick<Test, 'teardown'>): Promise<Storage> {
  const url = await createDatabase();
  const database = await openDatabase(url);
  t.teardown(async () => {
    await database.close();
    await dropDatabase(url);
  });
  return { database, isPrivate: true };
}

/**
 * A fresh app that closes itself; `prepare` may add throwaway routes before it is ready. The apps of a test file share
 * one database, unless they are given one of their own.
 */
export async function build(
  t: Test,
  options: BuildOptions = {},
  prepare: (app: FastifyInstance) => void = () => {},
): Promise<FastifyInstance> {
  // Nothing is written where tests are run.
  const config = { ...DEFAULT_CONFIG, checkpointMegabytes: 0 };
  const app = await buildApp({ config, storage: await sharedStorage(), ...options });
  t.after(() => app.close());
  prepare(app);
  await app.ready();
  return app;
}

/** The body of an answer, checked against the schema its route promises. */
export function bodyOf<S extends TSchema>(
  t: Test,
  response: LightMyRequestResponse,
  schema: S,
  status = 200,
): Static<S> {
  t.equal(response.statusCode, status, response.body.slice(0, 500));
  const value = response.json() as Static<S>;
  t.strictSame(faults(schema, value), [], 'the answer has the documented shape');
  return value;
}

/** The problem in an answer, checked for everything all problems share. */
export function problemOf(t: Test, response: LightMyRequestResponse, code: ProblemCode): Problem {
  t.match(response.headers['content-type'], /^application\/problem\+json/);
  const problem = bodyOf(t, response, ProblemSchema, PROBLEMS[code].status);
  t.equal(problem.type, `/problems/${code}`);
  t.equal(problem.request_id, response.headers['x-request-id']);
  return problem;
}
