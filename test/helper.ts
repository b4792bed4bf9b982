/** Builds apps and checks answers; tests go through `inject`, so none needs a port. */
import { Ajv } from 'ajv';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import type { Test } from 'tap';
import type { Static, TSchema } from 'typebox';
import { ALL_SCHEMAS } from '../schemas/index.js';
import { type Problem, ProblemSchema } from '../schemas/problem.js';
import { type BuildOptions, buildApp } from '../src/app.js';
import { PROBLEMS, type ProblemCode } from '../src/errors.js';

/** A fresh app that closes itself; `prepare` may add throwaway routes before it is ready. */
export async function build(
  t: Test,
  options: BuildOptions = {},
  prepare: (app: FastifyInstance) => void = () => {},
): Promise<FastifyInstance> {
  const app = await buildApp(options);
  t.after(() => app.close());
  prepare(app);
  await app.ready();
  return app;
}

const ajv = new Ajv({ allErrors: true, discriminator: true, strict: false });
ajv.addFormat('date-time', (text: string) => !Number.isNaN(Date.parse(text)));
ajv.addSchema([...ALL_SCHEMAS]);

/** What is wrong with a value by its schema; empty when nothing is. */
export function faults(schema: TSchema, value: unknown): string[] {
  const { $id } = schema as { $id?: string };
  const validate = ($id === undefined ? undefined : ajv.getSchema($id)) ?? ajv.compile(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
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
