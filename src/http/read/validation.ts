/**
 * Validation of requests: one Ajv for bodies, which converts nothing, and one for paths, queries
 * and headers, whose values arrive as text. Neither removes a field: unknown fields are errors.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifyInstance, FastifyRequest, FastifySchema, RouteOptions } from 'fastify';
import { NoQuerySchema } from '../../../schemas/common.js';
import { ALL_SCHEMAS } from '../../../schemas/index.js';
import { ProblemError, type ProblemItem } from '../../service/problem-error.js';
import { type Keep, whenNeeded } from '../when-needed.js';
import { explainValidation } from './explain-validation.js';
import { parseJsonBody } from './json-body.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route has a body schema, and a request without a body means `{}`. */
    optionalBody?: boolean;
  }
}

type HttpPart = 'body' | 'querystring' | 'params' | 'headers';

/** Compiled validators depend only on the schemas, so all apps of a process share them. */
const made = new Map<string, Ajv>();

function ajvFor(part: HttpPart, allErrors: boolean): Ajv {
  const coerceTypes = part === 'body' ? false : 'array';
  const key = `${coerceTypes} ${allErrors}`;
  const ajv = made.get(key) ?? createAjv(allErrors, coerceTypes);
  made.set(key, ajv);
  return ajv;
}

/** Ajv collects errors in quadratic time, so all errors are reported only for values up to this size. */
const THOROUGH_NODES_MAX = 5_000;

function createAjv(allErrors: boolean, coerceTypes: false | 'array'): Ajv {
  const ajv = new Ajv({
    allErrors,
    coerceTypes,
    useDefaults: true,
    removeAdditional: false,
    verbose: true,
    discriminator: true,
    allowUnionTypes: true,
    strictRequired: false,
    // The tests do that, and it takes a while.
    validateSchema: false,
    strictTypes: false,
    // It would be a third of the compiling, and the validators are no quicker for it.
    code: { optimize: false },
  });
  // The service writes dates itself and takes none, so the format needs no check.
  ajv.addFormat('date-time', true);
  ajv.addSchema([...ALL_SCHEMAS]);
  return ajv;
}

export function useValidation(app: FastifyInstance): void {
  for (const schema of ALL_SCHEMAS) app.addSchema(schema);
  const keep = whenNeeded(app);
  app.setValidatorCompiler(({ schema, httpPart }) => validator(schema, httpPart, keep));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => parseJsonBody(text),
  );
  app.addHook('onRoute', refuseUnknownQuery);
  app.addHook('preParsing', async (request) => refuseContentEncoding(request));
  app.addHook('preValidation', async (request) => checkBodyPresence(request));
}

function validator(schema: FastifySchema, part: string | undefined, keep: Keep) {
  const httpPart = (part ?? 'body') as HttpPart;
  const check = keep(() => compileWith(ajvFor(httpPart, false), schema));
  const thorough = keep(() => ajvFor(httpPart, true));
  return (data: unknown): true | { error: ProblemError } => {
    const isValid = check();
    if (isValid(data)) return true;
    let errors = isValid.errors ?? [];
    if (countNodes(data, THOROUGH_NODES_MAX) < THOROUGH_NODES_MAX) {
      const findFaults = compileWith(thorough(), schema);
      findFaults(data);
      errors = findFaults.errors ?? errors;
    }
    return { error: refusal(httpPart, data, errors) };
  };
}

/** Ajv caches what it compiled, so repeated calls are cheap. */
function compileWith(ajv: Ajv, schema: FastifySchema): ValidateFunction {
  const { $id } = schema as { $id?: string };
  return ($id === undefined ? undefined : ajv.getSchema($id)) ?? ajv.compile(schema);
}

/** The number of values nested in one, up to a limit; the parser bounds the depth. */
function countNodes(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null || limit <= 0) return 1;
  let total = 1;
  for (const member of Object.values(value)) {
    total += countNodes(member, limit - total);
    if (total >= limit) break;
  }
  return total;
}

function refusal(part: HttpPart, data: unknown, errors: readonly ErrorObject[]): ProblemError {
  if (part === 'body') {
    if (data === null) return bodyProblem('a JSON object is required as the body');
    const { items, more } = explainValidation(errors);
    return new ProblemError('validation', summary(items, more), items);
  }
  const { items, more } = explainValidation(errors);
  if (part === 'params') {
    // A malformed id names nothing: 404.
    const named = items.map((item) => ({ ...item, in: 'path' as const }));
    return new ProblemError('not_found', `No such resource: ${summary(items, more)}`, named);
  }
  const place = part === 'querystring' ? 'query' : 'header';
  const named = items.map((item) => ({ ...item, in: place }) as const);
  return new ProblemError('validation', `In the ${place}, ${summary(items, more)}`, named);
}

function bodyProblem(detail: string): ProblemError {
  return new ProblemError('validation', `${detail}.`, [{ pointer: '', detail }]);
}

function summary(items: readonly ProblemItem[], more: number): string {
  const [first] = items;
  if (first === undefined) return 'The request is not valid.';
  const rest = items.length - 1 + more;
  const where = first.pointer === '' ? 'the body' : first.pointer;
  const end = first.detail.endsWith('?') ? '' : '.';
  return `${where}: ${first.detail}${rest === 0 ? end : `; and ${rest} more.`}`;
}

/** Under /v1 a route without query parameters rejects them instead of ignoring a misspelt one. */
function refuseUnknownQuery(route: RouteOptions): void {
  if (!route.url.startsWith('/v1/')) return;
  route.schema = { querystring: NoQuerySchema, ...route.schema };
}

function refuseContentEncoding(request: FastifyRequest): void {
  // The handler reads it (text-body.ts).
  if (request.routeOptions.config.takes !== undefined) return;
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw new ProblemError(
    'unsupported_media_type',
    `Bodies must not have a content encoding, but this one has ${JSON.stringify(encoding.slice(0, 40))}.`,
  );
}

function checkBodyPresence(request: FastifyRequest): void {
  const { config, schema } = request.routeOptions;
  if (config.optionalBody === true && request.body === undefined) {
    request.body = {};
    return;
  }
  if (schema?.body !== undefined || request.body === undefined || request.is404) return;
  const { body } = request;
  if (typeof body === 'object' && body !== null && Object.keys(body).length === 0) return;
  throw bodyProblem('this route takes no body');
}
