import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { parse } from 'yaml';
import { ServiceIndexSchema } from '../schemas/health.js';
import { ALL_SCHEMAS } from '../schemas/index.js';
import { ProblemSchema, ProblemTypeSchema } from '../schemas/problem.js';
import { PROBLEM_CODES, PROBLEMS } from '../schemas/problem-codes.js';
import { faults } from './faults.js';
import { bodyOf, build, problemOf } from './helper.js';

interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  responses: Record<string, { content?: Record<string, unknown> }>;
}

interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: Record<string, { enum?: string[] }> }> };
}

/** Where the serialiser is tried; on the app of all these tests, and not in its document. */
const SAMPLES = ALL_SCHEMAS.flatMap((schema) => {
  const { type, examples = [] } = schema as { type?: unknown; examples?: unknown[] };
  return type === 'object' ? examples.map((example) => ({ schema, example })) : [];
});
const app = await build(t, {}, (app) => {
  for (const [i, { schema, example }] of SAMPLES.entries()) {
    const route = { schema: { hide: true, response: { 200: schema } } };
    app.get(`/sample/${i}`, route, async () => example);
  }
});

t.test('liveness and readiness', async (t) => {
  t.strictSame((await app.inject('/livez')).json(), { status: 'ok' }, 'the process is alive');
  const ready = await app.inject('/readyz');
  const checks = [
    { name: 'accepting', ok: true },
    { name: 'database', ok: true },
  ];
  t.strictSame(ready.json(), { status: 'ok', checks });

  app.readiness.add('store', () => ({ ok: false, detail: 'no connection' }));
  app.readiness.add('queue', () => {
    throw new Error('gone');
  });
  const unready = await app.inject('/readyz');
  t.equal(unready.statusCode, 503, 'one part that is not well makes the instance unready');
  t.match(unready.json(), {
    status: 'unavailable',
    checks: [...checks, { name: 'store', detail: 'no connection' }, { detail: 'gone' }],
  });
});

t.test('every problem code has a page, and the page says what the table says', async (t) => {
  for (const code of PROBLEM_CODES) {
    const { status, title, explanation } = PROBLEMS[code];
    const json = await app.inject({
      url: `/problems/${code}`,
      headers: { accept: 'application/json' },
    });
    const type = `/problems/${code}`;
    t.strictSame(bodyOf(t, json, ProblemTypeSchema), { code, type, status, title, explanation });
    const text = await app.inject(`/problems/${code}`);
    t.match(text.headers['content-type'], /^text\/plain/);
    t.ok(text.body.includes(explanation), `${code} answers with its own text`);
  }
  const { items } = (await app.inject('/problems')).json();
  t.strictSame(
    items.map(({ code }: { code: string }) => code),
    PROBLEM_CODES,
    'the list has exactly the codes of the table',
  );
  problemOf(t, await app.inject('/problems/nonsense'), 'not_found');
});

t.test('the document', async (t) => {
  const document = (await app.inject('/openapi.json')).json<OpenApi>();
  t.equal(document.openapi, '3.1.0');

  t.strictSame(
    document.components.schemas.Problem?.properties?.type?.enum,
    PROBLEM_CODES.map((code) => `/problems/${code}`),
    'lists exactly the problem codes of the table',
  );
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const where = `${method} ${path}`;
      t.ok(operation.operationId && operation.summary && operation.description, `${where} is told`);
      t.notOk(ids.has(operation.operationId ?? ''), `${where} has an operationId of its own`);
      ids.add(operation.operationId ?? '');
      t.equal(operation.tags?.length, 1, `${where} has one tag`);
      const refusals = Object.keys(operation.responses).filter((status) => status >= '400');
      t.ok(refusals.length > 0, `${where} says how it refuses`);
    }
  }
});

t.test('every schema is named, described and has examples that are valid by it', async (t) => {
  const seen = new Set<string>();
  for (const schema of ALL_SCHEMAS) {
    t.notOk(seen.has(schema.$id), `${schema.$id} is named once`);
    seen.add(schema.$id);
    const { description, examples } = schema as { description?: string; examples?: unknown[] };
    t.ok(description, `${schema.$id} is described`);
    t.ok(Array.isArray(examples) && examples.length > 0, `${schema.$id} has examples`);
    for (const example of examples ?? []) t.strictSame(faults(schema, example), [], schema.$id);
  }
});

t.test('the serialiser drops and changes nothing of what a schema allows', async (t) => {
  for (const [i, { schema, example }] of SAMPLES.entries()) {
    const response = await app.inject(`/sample/${i}`);
    t.equal(response.statusCode, 200, response.body);
    t.strictSame(response.json(), example, schema.$id);
  }
});

t.test('every string, array and number of a schema is bounded', async (t) => {
  const unbounded = ALL_SCHEMAS.flatMap((schema) => findUnbounded(schema, schema.$id));
  t.strictSame(unbounded, []);
});

/** Answers may gain members, so only Problem and the open parts of a world stay open. */
const OPEN = new Set(['Problem', 'OpenApiDocument', 'WorldPart']);

function findUnbounded(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const schema = value as Record<string, unknown>;
  const types = [schema.type].flat();
  const complaints: string[] = [];
  const constant = schema.enum !== undefined || schema.const !== undefined;
  if (types.includes('string') && !constant && schema.maxLength === undefined) {
    complaints.push(`${path}: string`);
  }
  if (types.includes('array') && schema.maxItems === undefined) complaints.push(`${path}: array`);
  const numeric = types.includes('integer') || types.includes('number');
  if (numeric && !constant && schema.minimum === undefined) complaints.push(`${path}: number`);
  const closed = schema.additionalProperties !== undefined || schema.patternProperties;
  if (schema.properties !== undefined && !closed && !OPEN.has(path) && !schema.oneOf) {
    complaints.push(`${path}: open object`);
  }
  for (const key of ['properties', 'patternProperties'] as const) {
    for (const [name, member] of Object.entries(schema[key] ?? {})) {
      complaints.push(...findUnbounded(member, `${path}.${name}`));
    }
  }
  for (const key of ['items', 'anyOf', 'oneOf'] as const) {
    for (const member of [schema[key] ?? []].flat()) {
      complaints.push(...findUnbounded(member, `${path}.${key}`));
    }
  }
  return complaints;
}

t.test('the pages for people work without the internet and carry security headers', async (t) => {
  const page = await app.inject('/docs/');
  t.equal(page.statusCode, 200);
  t.notMatch(page.body, /(src|href)="https?:/, 'nothing is loaded from elsewhere');
  t.equal(page.headers['x-content-type-options'], 'nosniff');
  const policy = String(page.headers['content-security-policy']);
  t.match(policy, /default-src 'self'/);
  t.notMatch(policy, /https?:|upgrade-insecure-requests|unsafe/, 'all of it works over plain HTTP');
  t.notOk(page.headers['cross-origin-opener-policy'], 'and pages it opens may talk back');
  const start = await app.inject('/docs/static/swagger-initializer.js');
  t.match(start.body, /validatorUrl/, 'no one outside is asked to validate');
  t.notMatch(start.body, /validator\.swagger\.io/);
  t.equal((await app.inject('/docs/static/swagger-ui.css')).statusCode, 200);
  t.notOk((await app.inject('/livez')).headers['x-frame-options'], 'the API is not slowed by them');
});

t.test('an unknown path is a problem, and so is an unknown method of a known one', async (t) => {
  const missing = problemOf(t, await app.inject('/v1/nowhere?x=1'), 'not_found');
  t.equal(missing.instance, '/v1/nowhere?x=1');
  const response = await app.inject({ method: 'DELETE', url: '/livez' });
  problemOf(t, response, 'method_not_allowed');
  t.equal(response.headers.allow, 'GET, HEAD');
  problemOf(
    t,
    await app.inject({ method: 'POST', url: '/problems/validation' }),
    'method_not_allowed',
  );
  problemOf(t, await app.inject(`/problems/${'x'.repeat(500)}`), 'not_found');
  problemOf(t, await app.inject('/problems/%zz'), 'bad_request');
});

t.test('the schema of a problem fits every problem', async (t) => {
  const example = (ProblemSchema as { examples?: unknown[] }).examples?.[0];
  t.strictSame(faults(ProblemSchema, example), []);
});

t.test('the address of the service says where to begin', async (t) => {
  const get = (url: string, accept: string) => app.inject({ url, headers: { accept } });
  const index = bodyOf(t, await get('/', '*/*'), ServiceIndexSchema);
  for (const path of [index.docs, index.openapi, ...index.resources]) {
    const { statusCode } = await app.inject(path);
    t.ok(statusCode === 200 || statusCode === 302, `${path}: ${statusCode}`);
  }
  const { paths } = (await app.inject('/openapi.json')).json();
  const lists = Object.keys(paths).filter(
    (path) =>
      /^\/v1\/[a-z-]+$/.test(path) && /^list|^getEvents$/.test(paths[path].get?.operationId),
  );
  t.same(new Set(index.resources), new Set(lists), 'and names every list there is');
  const browser = await get('/', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8');
  t.equal(browser.statusCode, 303);
  t.equal(browser.headers.location, '/ui/');
  t.equal(browser.headers.vary, 'accept');
  problemOf(t, await get('/', 'image/png'), 'not_acceptable');
});

t.test('the document is there as YAML, too', async (t) => {
  const response = await app.inject('/openapi.yaml');
  t.equal(response.statusCode, 200);
  t.match(response.headers['content-type'], /^application\/yaml/);
  const document = (await app.inject('/openapi.json')).json();
  t.ok(isDeepStrictEqual(parse(response.body), document), 'and says the same');
});
