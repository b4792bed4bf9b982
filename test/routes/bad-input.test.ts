/**
 * Bad input at every route of the document: never a failure of the service, always a problem that explains itself, and
 * a refused request changes nothing that can be read.
 */
import fc from 'fast-check';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import t from 'tap';
import { ProblemSchema } from '../../schemas/problem.js';
import { PROBLEMS } from '../../schemas/problem-codes.js';
import { faults } from '../faults.js';
import { problemOf } from '../helper.js';
import { type Lab, type LabHost, openFreshLab } from './lab.js';

interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As in the document: `/v1/hosts/{host}/msrs`. */
  readonly path: string;
  readonly queryNames: readonly string[];
  /** Bodies that the document gives as examples; empty where the route takes none. */
  readonly bodies: readonly object[];
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, { readonly examples?: object[] }> };
}

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: { readonly $ref?: string } }>;
  };
}

function routesOf(app: FastifyInstance): Route[] {
  const { paths, components } = app.swagger() as unknown as Document;
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]): Route => {
      const schema = operation.requestBody?.content['application/json']?.schema;
      const name = schema?.$ref?.split('/').at(-1) ?? '';
      return {
        method: method.toUpperCase() as Route['method'],
        path,
        queryNames: (operation.parameters ?? [])
          .filter((parameter) => parameter.in === 'query')
          .map((parameter) => parameter.name),
        bodies: schema === undefined ? [] : (components.schemas[name]?.examples ?? [{}]),
      };
    }),
  );
}

/** Of bpftrace, whose lines are JSON. */
const OBSERVED = '/v1/observations?format=bpftrace&complete=true';
const READINGS = { type: 'printf', data: '1442116042846 3 3f1 0\n' };

/** A host with everything on it, an observation, and a pool with a lease, made again when a request has deleted them. */
class World {
  private host: LabHost | undefined;
  private event = '';
  private vcpu = '';
  private observation = '';
  private job = '';
  private lease = '';

  constructor(private readonly lab: Lab) {}

  async ready(): Promise<Readonly<Record<string, string>>> {
    const { host } = this;
    const isThere = host !== undefined && (await this.lab.get(host.path)).statusCode === 200;
    if (host === undefined || !isThere) await this.make();
    if ((await this.lab.get(`/v1/observations/${this.observation}`)).statusCode !== 200) {
      this.observation = (await this.lab.send('POST', OBSERVED, READINGS)).json().id;
    }
    if ((await this.lab.get(`/v1/pool-jobs/${this.job}`)).statusCode !== 200) await this.lend();
    const hosts = (await this.lab.get('/v1/hosts?limit=1000')).json().items;
    for (const { id } of hosts) {
      if (id !== this.host?.item.id) await this.lab.send('DELETE', `/v1/hosts/${id}`);
    }
    return {
      host: this.host?.item.id ?? '',
      event: this.event,
      vcpu: this.vcpu,
      observation: this.observation,
      pool: 'lab-a',
      machine: 'host-17',
      job: this.job,
      lease: this.lease,
      node: this.lease.replace('lease_', 'run_'),
      id: 'emerald-rapids',
      code: 'validation',
    };
  }

  private async lend(): Promise<void> {
    const { lab } = this;
    await lab.send('DELETE', '/v1/pools/lab-a');
    await lab.send('PUT', '/v1/pools/lab-a');
    const job = { pool: 'lab-a', run: { script: 'true' } };
    this.job = (await lab.send('POST', '/v1/pool-jobs', job)).json().id;
    const lent = await lab.send('POST', '/v1/pools/lab-a/leases', { machine: 'host-17' });
    this.lease = lent.json().lease.id;
  }

  private async make(): Promise<void> {
    const { lab } = this;
    const made = await lab.send('POST', '/v1/hosts', {
      cpu_model: 'emerald-rapids',
      kernel: 'upstream-base',
      cpus: 2,
    });
    this.host = await lab.host('emerald-rapids', 'upstream-base', { cpus: 2 });
    await lab.send('DELETE', `/v1/hosts/${made.json().id}`);
    this.event = (await this.host.event({ name: 'cycles' })).id;
    const { id } = await this.host.vcpu({ name: 'guest-a' });
    this.vcpu = id;
    await this.host.move({ id });
  }

  /** All that can be read: the hosts, and everything of the one that requests are aimed at. */
  async read(): Promise<string> {
    const [hosts, host] = await Promise.all([
      this.lab.get('/v1/hosts?limit=1000'),
      this.host?.everything(),
    ]);
    return `${hosts.body}\n${JSON.stringify(host)}`;
  }
}

/** Values that are nearly right, or as wrong as can be. */
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  7,
  8,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e300,
  -0,
  '',
  '0x1',
  '0x',
  '0x10000000000000000',
  '18446744073709551616',
  '-1',
  '1',
  'PMC0',
  'PMC15',
  'PMC99',
  'FIXED11',
  'FIXED0',
  'guest',
  'k9_vmlaunch',
  'k5_switch',
  'emerald-rapids',
  'cycles',
  '__proto__',
  'constructor',
  '\u0000',
  '\ud800',
  'x'.repeat(10_000),
  [],
  [[]],
  [null],
  ['PMC0', 'PMC0'],
  {},
  { constructor: {} },
  { nmi: {} },
];
const FIELDS = [
  'cpu',
  'kind',
  'count',
  'inject',
  'name',
  'options',
  'x',
  'constructor',
  'toString',
];

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.bigInt(-(2n ** 70n), 2n ** 70n).map(Number) },
  { weight: 1, arbitrary: fc.bigInt(0n, 2n ** 68n).map((n) => `0x${n.toString(16)}`) },
);

/** One change somewhere in a body: a value replaced, a field renamed, added or left out. */
interface Change {
  readonly how: 'replace' | 'misspell' | 'add' | 'remove';
  /** Which of the places in the body, as a share of all. */
  readonly where: number;
  readonly field: string;
  readonly value: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  how: fc.constantFrom('replace' as const, 'misspell' as const, 'add' as const, 'remove' as const),
  where: fc.double({ min: 0, max: 0.999, noNaN: true }),
  field: fc.constantFrom(...FIELDS),
  value,
});

type Container = Record<string, unknown> | unknown[];

function placesIn(body: unknown): [Container, string][] {
  if (typeof body !== 'object' || body === null) return [];
  return Object.entries(body).flatMap(([key, member]): [Container, string][] => [
    [body as Container, key],
    ...placesIn(member),
  ]);
}

function apply(body: Container, { how, where, field, value: to }: Change): void {
  const places = placesIn(body);
  const [holder, key] = places[Math.floor(where * places.length)] ?? [body, field];
  const record = holder as Record<string, unknown>;
  if (how === 'replace') record[key] = to;
  else if (how === 'add') record[field] = to;
  else if (Array.isArray(holder)) holder.pop();
  else {
    const before = record[key];
    delete record[key];
    if (how === 'misspell') record[`${key.slice(0, -1)}s`] = before;
  }
}

/** A request that may be right takes no longer than this many transitions. */
const COUNT_MAX = 300;

function shorten(body: unknown): void {
  for (const [holder, key] of placesIn(body)) {
    const record = holder as Record<string, unknown>;
    const count = record[key];
    if (key === 'count' && typeof count === 'number' && count > COUNT_MAX && count <= 1e7) {
      record[key] = COUNT_MAX;
    }
  }
}

const changedBody = (bodies: readonly object[]): fc.Arbitrary<string> =>
  fc
    .record({ example: fc.constantFrom(...bodies), changes: fc.array(change, { maxLength: 3 }) })
    .map(({ example, changes }) => {
      const body = structuredClone(example) as Container;
      for (const one of changes) apply(body, one);
      shorten(body);
      return JSON.stringify(body);
    });

function bodyFor({ bodies }: Route): fc.Arbitrary<string | undefined> {
  const rubbish = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom('{', '[]', '{}', 'null', '{"a":1,}', '{"a":1,"a":2}', '1e999', '\ufeff{}'),
  );
  if (bodies.length === 0) return fc.option(rubbish, { freq: 3, nil: undefined });
  return fc.oneof(
    { weight: 6, arbitrary: changedBody(bodies) },
    { weight: 1, arbitrary: rubbish },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

const segment = fc.constantFrom(
  'host_0',
  'ev_0',
  'vcpu_0',
  'HOST_1',
  'host_',
  'x'.repeat(200),
  '%00',
  '%zz',
  '%2e%2e',
  "';--",
  '..',
  ' ',
  '{host}',
);

interface Attempt {
  readonly method: Route['method'];
  readonly path: string;
  readonly wrongSegment: { readonly at: number; readonly text: string } | undefined;
  readonly query: string;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

function attempts(routes: readonly Route[]): fc.Arbitrary<Attempt> {
  return fc.constantFrom(...routes).chain((route) =>
    fc.record({
      method: fc.constant(route.method),
      path: fc.constant(route.path),
      wrongSegment: fc.option(fc.record({ at: fc.nat(2), text: segment }), {
        freq: 5,
        nil: undefined,
      }),
      query: queryFor(route),
      body: route.method === 'GET' ? fc.constant(undefined) : bodyFor(route),
      headers: fc.oneof(
        { weight: 9, arbitrary: fc.constant({ 'content-type': 'application/json' }) },
        {
          weight: 1,
          arbitrary: fc.constantFrom<Record<string, string>>(
            { 'content-type': 'text/plain' },
            { 'content-type': 'application/json', 'content-encoding': 'gzip' },
            { 'content-type': 'multipart/form-data' },
            { 'content-type': 'application/json', accept: 'image/png' },
            { 'content-type': ';' },
            {},
          ),
        },
      ),
    }),
  );
}

function queryFor({ queryNames }: Route): fc.Arbitrary<string> {
  const names = [...queryNames, 'limit', 'limt', 'cpu', 'cursor', 'after', '__proto__'];
  const texts = ['', '0', '1', '-1', '50', '1001', '9', 'x', '1e9', 'NTA', '%00', '9'.repeat(30)];
  const pair = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...texts));
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc
        .array(pair, { minLength: 1, maxLength: 3 })
        .map((pairs) => `?${pairs.map(([name, text]) => `${name}=${text}`).join('&')}`),
    },
  );
}

/** The address of a path with its parameters filled in, one of them wrongly if so wanted. */
function addressOf({ path, wrongSegment, query }: Attempt, ids: Readonly<Record<string, string>>) {
  let at = -1;
  const filled = path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    at += 1;
    return wrongSegment?.at === at ? wrongSegment.text : (ids[name] ?? 'x');
  });
  return `${filled}${query}`;
}

/** What is wrong with how a request was answered, or null. */
function complaintAbout(response: LightMyRequestResponse): string | null {
  const { statusCode, headers } = response;
  if (statusCode < 400) return null;
  if (statusCode >= 500) return `status ${statusCode}: ${response.body.slice(0, 300)}`;
  if (!/^application\/problem\+json/.test(String(headers['content-type']))) {
    return `content type ${headers['content-type']}`;
  }
  const problem = response.json();
  const wrong = faults(ProblemSchema, problem);
  if (wrong.length > 0) return wrong.join('; ');
  const code = problem.type.split('/').at(-1) as keyof typeof PROBLEMS;
  if (PROBLEMS[code]?.status !== statusCode) return `${statusCode} with ${problem.type}`;
  return problem.detail === '' ? 'a problem without detail' : null;
}

const lab = await openFreshLab(t);
const routes = routesOf(lab.app);

t.test('random and near-miss requests at every route', async (t) => {
  t.ok(routes.length > 30, `${routes.length} routes`);
  const world = new World(lab);
  let ids = await world.ready();
  let before = await world.read();
  const seen = new Map<string, { refused: number; done: number }>();

  const isAnsweredWell = async (attempt: Attempt): Promise<void> => {
    const options: InjectOptions = {
      method: attempt.method,
      url: addressOf(attempt, ids),
      headers: attempt.headers,
      ...(attempt.body === undefined ? {} : { payload: attempt.body }),
    };
    const response = await lab.app.inject(options);
    const complaint = complaintAbout(response);
    if (complaint !== null) throw new Error(complaint);
    const refused = response.statusCode >= 400;
    if (refused || attempt.method === 'GET') {
      if ((await world.read()) !== before) {
        throw new Error(`${response.statusCode}, and something has changed`);
      }
    } else {
      ids = await world.ready();
      before = await world.read();
    }
    const name = `${attempt.method} ${attempt.path}`;
    const counts = seen.get(name) ?? { refused: 0, done: 0 };
    counts[refused ? 'refused' : 'done'] += 1;
    seen.set(name, counts);
  };
  const changing = routes.filter(({ method }) => method !== 'GET');
  const tryOut = async (some: readonly Route[], numRuns: number): Promise<void> => {
    const property = fc.asyncProperty(attempts(some), isAnsweredWell);
    await t.resolves(fc.assert(property, { numRuns, seed: 20260423, endOnFailure: false }));
  };
  await tryOut(changing, 250);
  await tryOut(routes, 100);
  for (const route of routes) {
    if (!seen.has(`${route.method} ${route.path}`)) await tryOut([route], 3);
  }
  const totals = [...seen.values()];
  const sum = (key: 'refused' | 'done') => totals.reduce((all, one) => all + one[key], 0);
  t.comment(`${sum('refused')} requests refused, ${sum('done')} carried out`);
});

t.test(
  'what is too much, or hardly JSON, is refused at every route that takes a body',
  async (t) => {
    const world = new World(lab);
    const ids = await world.ready();
    const before = await world.read();
    const most = 256 * 1024;
    const more = 2 * 1024 * 1024;
    const payloads: readonly (readonly [string, string | Buffer, readonly number[]])[] = [
      ['a string of nearly 256 KiB', `{"name":"${'x'.repeat(most - 20)}"}`, [400]],
      ['more than any route takes', `{"name":"${'x'.repeat(more)}"}`, [413]],
      ['80,000 empty objects', `{"actions":[${Array(80_000).fill('{}').join(',')}]}`, [400]],
      ['1,000 fields', `{${Array.from({ length: 1000 }, (_, i) => `"f${i}":1`).join()}}`, [400]],
      ['arrays 100,000 deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, [400]],
      ['objects 40,000 deep', `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`, [400]],
      ['an integer of 200,000 digits', `{"value":${'9'.repeat(200_000)}}`, [400]],
      ['half a document', '{"kind": "round_trip", "co', [400]],
      ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), [400]],
      ['a __proto__', '{"__proto__":{"kind":"round_trip"}}', [400]],
      ['a field twice', '{"cpu":0,"cpu":1}', [400]],
    ];
    for (const { method, path, bodies } of routes) {
      // What tools print is no JSON: it may be long, and anything.
      if (bodies.length === 0 || path === '/v1/observations') continue;
      for (const [name, payload, expected] of payloads) {
        const response = await lab.app.inject({
          method,
          url: addressOf({ path, query: '' } as Attempt, ids),
          payload,
          headers: { 'content-type': 'application/json' },
        });
        const { statusCode } = response;
        // As with Maestro, fields that nobody reads may be anything.
        const allowed = path === '/latest/node/{node}' ? [...expected, 200] : [...expected];
        // The bodies of labs are read as texts, and may be longer.
        if (path.startsWith('/v1/callbacks/')) allowed.splice(0, allowed.length, 422);
        t.ok(allowed.includes(statusCode), `${method} ${path}, ${name}: ${statusCode}`);
        t.equal(complaintAbout(response), null);
        t.ok(response.body.length < 20_000, 'the answer does not repeat it');
      }
    }
    t.equal(await world.read(), before, 'nothing has changed');
  },
);

t.test('a method that a route does not have', async (t) => {
  const ids = await new World(lab).ready();
  for (const path of new Set(routes.map((route) => route.path))) {
    const own = routes.filter((route) => route.path === path);
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      if (own.some((route) => route.method === method)) continue;
      const url = addressOf({ path, query: '' } as Attempt, ids);
      const response = await lab.app.inject({ method, url });
      problemOf(t, response, 'method_not_allowed');
      for (const route of own) t.match(response.headers.allow, route.method, `${path} Allow`);
    }
  }
});

t.test('addresses of the pages lead nowhere else', async (t) => {
  for (const url of [
    '/docs/static/../../package.json',
    '/docs/static/%2e%2e/%2e%2e/package.json',
    '/docs/static/..%2f..%2fpackage.json',
    '/docs/static/%00',
    '/docs/x',
    '/%2e%2e/etc/passwd',
    `/v1/${'x/'.repeat(500)}`,
  ]) {
    const response = await lab.get(url);
    t.ok(response.statusCode >= 400 && response.statusCode < 500, `${url}: ${response.statusCode}`);
    t.equal(complaintAbout(response), null, url);
  }
});
