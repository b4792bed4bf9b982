/** Who may do what: tokens, scopes, quotas, and that no token ever shows. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Writable } from 'node:stream';
import type { FastifyInstance, InjectOptions } from 'fastify';
import t, { type Test } from 'tap';
import { WhoAmISchema } from '../../../schemas/whoami.js';
import { type BuildOptions, buildApp } from '../../../src/app.js';
import { createVerifier, type Scope } from '../../../src/config/access-tokens.js';
import { type Config, DEFAULT_CONFIG } from '../../../src/config/configuration.js';
import { bodyOf, build, problemOf } from '../../helper.js';

/** The token of each scope; the names are the scopes with a dash. */
const TOKENS: Readonly<Record<Scope, string>> = {
  pool: 'pppp-0123456789abcdef',
  read: 'rrrr-0123456789abcdef',
  write: 'wwww-0123456789abcdef',
  admin: 'aaaa-0123456789abcdef',
};

function entry(scope: Scope, token: string, name = `the-${scope}`) {
  return { name, scope, sha256: createHash('sha256').update(token).digest('hex') };
}

const GUARDED: Config = {
  ...DEFAULT_CONFIG,
  tokens: [
    entry('read', TOKENS.read),
    entry('write', TOKENS.write),
    entry('admin', TOKENS.admin),
    { ...entry('pool', TOKENS.pool), pools: ['lab-a'] },
  ],
};

function guard(t: Test, config: Partial<Config> = {}, options: BuildOptions = {}) {
  return build(t, { ...options, config: { ...GUARDED, ...config } }, addProbes);
}

/** For the tests that leave nothing behind; to build an app takes longer than to ask it. */
const guarded = await buildApp({ config: GUARDED });
addProbes(guarded);
t.teardown(() => guarded.close());

function addProbes(app: FastifyInstance): void {
  app.get('/v1/probe', async () => ({}));
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    app.route({ method, url: '/v1/probe', handler: async () => ({}) });
  }
  app.post('/v1/calculator', { config: { scope: 'read' } }, async () => ({}));
  app.get('/v1/secrets', { config: { scope: 'admin' } }, async () => ({}));
}

/** A request with the token of a scope. */
function as(scope: Scope, options: InjectOptions): InjectOptions {
  return { ...options, headers: { ...options.headers, authorization: `Bearer ${TOKENS[scope]}` } };
}

/** Method and pattern of every route of an app, read off Fastify's own tree. */
function routesOf(app: FastifyInstance): { method: string; url: string }[] {
  const path: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part = '', methods = ''] =
        /^([│ ]*)[├└]── (\S*) \(([A-Z, ]+)\)/.exec(line) ?? [];
      if (part === '') return [];
      path.splice(indent.length / 4, Number.POSITIVE_INFINITY, part);
      const url = path.join('').replaceAll('//', '/');
      return methods.split(', ').map((method) => ({ method, url }));
    });
}

const OPEN = [
  '/',
  '/livez',
  '/readyz',
  '/openapi.json',
  '/openapi-3.0.json',
  '/openapi.yaml',
  '/problems',
  '/problems/:code',
  '/docs',
  '/docs/',
  '/docs/static/index.html',
  '/docs/static/swagger-initializer.js',
  '/docs/*',
  '/docs/json',
  '/docs/yaml',
  '/ui',
  '/ui/',
  '/ui/*',
];

t.test('every route but the open ones asks for a token', async (t) => {
  const app = guarded;
  const routes = routesOf(app);
  t.ok(routes.length > 50, `${routes.length} routes`);
  const open = new Set<string>();
  for (const { method, url } of routes) {
    // A file that is missing under /docs or /ui is an unknown path like any other.
    const path = url
      .replace(/:\w+/g, 'x')
      .replace('/ui/*', '/ui/live')
      .replace('*', 'static/swagger-ui.css');
    const response = await app.inject({ method: method as 'GET', url: path });
    if (response.statusCode === 401) continue;
    open.add(url);
    t.not(method, 'POST', `${method} ${url} is open and only reads`);
  }
  t.strictSame([...open].sort(), [...OPEN].sort());

  problemOf(t, await app.inject('/v1/nowhere'), 'unauthorized');
  problemOf(t, await app.inject('/nowhere'), 'unauthorized');
  problemOf(t, await app.inject({ method: 'DELETE', url: '/livez' }), 'unauthorized');
  for (const url of ['/docs/../v1/hosts', '//v1/hosts', '/v1/hosts/', '/V1/hosts', '/livez/x']) {
    problemOf(t, await app.inject(url), 'unauthorized');
  }
  const unread = { method: 'POST', url: '/v1/hosts', payload: '{"broken' } as const;
  problemOf(t, await app.inject(unread), 'unauthorized');
});

t.test('with a token, what does not exist is not found again', async (t) => {
  const app = guarded;
  problemOf(t, await app.inject(as('read', { url: '/v1/nowhere' })), 'not_found');
  problemOf(t, await app.inject(as('read', { method: 'POST', url: '/v1/no' })), 'not_found');
  const wrong = as('read', { method: 'PUT', url: '/v1/whoami' });
  problemOf(t, await app.inject(wrong), 'method_not_allowed');
});

t.test('a challenge says what is missing', async (t) => {
  const app = guarded;
  const ask = (authorization?: string) =>
    app.inject({
      url: '/v1/whoami',
      headers: authorization === undefined ? {} : { authorization },
    });
  for (const nothing of [undefined, '', 'Bearer', 'Bearer ', 'Basic dTpw', TOKENS.read]) {
    const response = await ask(nothing);
    problemOf(t, response, 'unauthorized');
    t.equal(response.headers['www-authenticate'], 'Bearer realm="pebslab"', `${nothing}`);
  }
  for (const wrong of ['x', TOKENS.read.slice(1), `${TOKENS.read}0`, TOKENS.read.toUpperCase()]) {
    const response = await ask(`Bearer ${wrong}`);
    problemOf(t, response, 'unauthorized');
    t.equal(
      response.headers['www-authenticate'],
      'Bearer realm="pebslab", error="invalid_token"',
      wrong,
    );
  }
  const sha = GUARDED.tokens[0]?.sha256 ?? '';
  problemOf(t, await ask(`Bearer ${sha}`), 'unauthorized');
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Token', 'token']) {
    t.equal((await ask(`${scheme} ${TOKENS.read}`)).statusCode, 200, scheme);
  }
  for (const name of ['access_token', 'token', 'api_key']) {
    const response = await app.inject(`/v1/whoami?${name}=${TOKENS.read}`);
    problemOf(t, response, 'unauthorized');
    t.notMatch(response.body, TOKENS.read, 'a token in the query is neither read nor repeated');
  }
});

t.test('a scope allows what it says and what the lesser ones do', async (t) => {
  const app = guarded;
  const matrix: [InjectOptions['method'], string, Record<Scope, number>][] = [
    ['GET', '/v1/probe', { read: 200, write: 200, admin: 200, pool: 403 }],
    ['HEAD', '/v1/probe', { read: 200, write: 200, admin: 200, pool: 403 }],
    ['POST', '/v1/probe', { read: 403, write: 200, admin: 200, pool: 403 }],
    ['PUT', '/v1/probe', { read: 403, write: 200, admin: 200, pool: 403 }],
    ['PATCH', '/v1/probe', { read: 403, write: 200, admin: 200, pool: 403 }],
    ['DELETE', '/v1/probe', { read: 403, write: 200, admin: 200, pool: 403 }],
    ['POST', '/v1/calculator', { read: 200, write: 200, admin: 200, pool: 403 }],
    ['GET', '/v1/secrets', { read: 403, write: 403, admin: 200, pool: 403 }],
    ['GET', '/metrics', { read: 200, write: 200, admin: 200, pool: 403 }],
    ['POST', '/v1/hosts', { read: 403, write: 400, admin: 400, pool: 403 }],
    ['POST', '/v1/switch-lists', { read: 400, write: 400, admin: 400, pool: 403 }],
    ['POST', '/v1/round-trips', { read: 400, write: 400, admin: 400, pool: 403 }],
    ['POST', '/v1/comparisons', { read: 400, write: 400, admin: 400, pool: 403 }],
    ['POST', '/v1/explorations', { read: 403, write: 400, admin: 400, pool: 403 }],
    ['GET', '/v1/whoami', { read: 200, write: 200, admin: 200, pool: 200 }],
    ['POST', '/v1/pools/lab-a/leases', { read: 403, write: 400, admin: 400, pool: 400 }],
  ];
  for (const [method = 'GET', url, expected] of matrix) {
    for (const scope of ['read', 'write', 'admin', 'pool'] as const) {
      const needsBody = url.startsWith('/v1/') && expected[scope] === 400;
      const { statusCode } = await app.inject(
        as(scope, { method, url, ...(needsBody ? { payload: { unknown: 1 } } : {}) }),
      );
      t.equal(statusCode, expected[scope], `${scope}: ${method} ${url}`);
    }
  }
  const refused = await app.inject(as('read', { method: 'POST', url: '/v1/probe' }));
  const { detail } = problemOf(t, refused, 'forbidden');
  t.equal(detail, 'This needs scope write; the token the-read has scope read.');
  const nothing = as('read', { method: 'POST', url: '/v1/hosts', payload: '{"broken' });
  problemOf(t, await app.inject(nothing), 'forbidden');
});

t.test('whoami', async (t) => {
  const app = guarded;
  for (const scope of ['read', 'write', 'admin'] as const) {
    const response = await app.inject(as(scope, { url: '/v1/whoami' }));
    t.strictSame(bodyOf(t, response, WhoAmISchema), { name: `the-${scope}`, scope });
  }
  const open = await build(t);
  const anybody = await open.inject('/v1/whoami');
  t.strictSame(bodyOf(t, anybody, WhoAmISchema), { name: null, scope: 'admin' });
});

t.test('without tokens everything is allowed, and nothing is counted', async (t) => {
  const app = await build(t, { config: { ...DEFAULT_CONFIG, rateLimit: 1 } }, addProbes);
  for (let i = 0; i < 3; i += 1) {
    const response = await app.inject({ method: 'DELETE', url: '/v1/probe' });
    t.equal(response.statusCode, 200);
    t.notOk(response.headers.ratelimit);
  }
  const { statusCode } = await app.inject({ url: '/v1/secrets', headers: { authorization: 'x' } });
  t.equal(statusCode, 200, 'a token that nobody asked for does no harm');
});

t.test('allowing anonymous clients opens nothing where there are tokens', async (t) => {
  const app = await guard(t, { allowAnonymous: true });
  problemOf(t, await app.inject('/v1/whoami'), 'unauthorized');
});

t.test('a token is compared with every entry, whichever is right', async (t) => {
  const words = Array.from({ length: 7 }, (_, i) => `token-${i}`);
  let compared = 0;
  const find = createVerifier(
    words.map((word) => entry('read', word, word)),
    (a, b) => {
      compared += 1;
      return timingSafeEqual(a, b);
    },
  );
  for (const word of [...words, 'token-7', '', 'x'.repeat(10_000)]) {
    compared = 0;
    t.equal(find(word)?.name, words.includes(word) ? word : undefined);
    t.equal(compared, words.length, 'all are compared');
  }
});

t.test('a token of any bytes is hashed as it was sent', async (t) => {
  const token = 'schlüssel-žluť';
  const app = await guard(t, { tokens: [entry('read', token, 'odd')] });
  // What Node makes of these bytes in a header.
  const authorization = `Bearer ${Buffer.from(token, 'utf8').toString('latin1')}`;
  t.equal((await app.inject({ url: '/v1/whoami', headers: { authorization } })).statusCode, 200);
});

t.test('no token shows in the log or in a problem', async (t) => {
  let log = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      log += chunk;
      done();
    },
  });
  const app = await buildApp({ config: GUARDED, logger: { level: 'trace', stream } });
  t.after(() => app.close());
  app.get('/v1/bug', async () => {
    throw new Error('a bug');
  });
  const wrong = 'guessed-0123456789abcdef';
  const header = { authorization: `Bearer ${TOKENS.write}` };
  let bodies = '';
  for (const request of [
    { url: '/v1/whoami', headers: header },
    { url: '/v1/bug', headers: header },
    { url: '/v1/hosts', method: 'POST', headers: header, payload: '{"broken' },
    { url: `/v1/whoami?access_token=${TOKENS.write}`, headers: header },
    { url: `/v1/whoami?x=1&Token=${TOKENS.write}` },
    { url: '/v1/whoami', headers: { authorization: `Bearer ${wrong}` } },
  ] as const) {
    bodies += (await app.inject(request)).body;
  }
  for (const secret of [TOKENS.write, wrong, ...GUARDED.tokens.map(({ sha256 }) => sha256)]) {
    t.notOk(log.includes(secret), 'not in the log');
    t.notOk(bodies.includes(secret), 'not in an answer');
  }
  const requests = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === 'request');
  t.equal(requests.length, 6);
  t.match(requests[0], { principal: 'the-write', status: 200 }, 'the log says who it was');
  t.match(requests[3], { url: '/v1/whoami?access_token=***', status: 400 });
  t.match(requests[4], { url: '/v1/whoami?x=1&Token=***', status: 401, principal: undefined });
});

t.test('a token has so many requests a minute', async (t) => {
  const app = await guard(t, { rateLimit: 3 });
  const ask = (scope: Scope = 'read', url = '/v1/probe', headers: Record<string, string> = {}) =>
    app.inject(as(scope, { url, headers }));
  const left = (response: { headers: Record<string, unknown> }) =>
    /^"default";r=(\d+);t=(\d+)$/.exec(String(response.headers.ratelimit))?.[1];

  const first = await ask();
  t.equal(first.headers['ratelimit-policy'], '"default";q=3;w=60');
  t.match(first.headers.ratelimit, /^"default";r=2;t=(59|60)$/);

  const unchanged = await ask('read', '/v1/probe', {
    'if-none-match': String(first.headers.etag),
  });
  t.equal(unchanged.statusCode, 304);
  t.equal(left(unchanged), '1', 'a 304 costs half');
  t.equal(left(await ask('read', '/v1/probe', { 'if-none-match': '"x", W/"y"' })), '0');
  const again = await guard(t, { rateLimit: 3 });
  const any = (tag: string) =>
    again.inject(as('read', { url: '/v1/probe', headers: { 'if-none-match': tag } }));
  for (const rest of ['2', '1', '0']) {
    const free = await any('*');
    t.equal(free.statusCode, 304);
    t.equal(left(free), rest, 'a 304 for any version costs as much as an answer');
  }
  problemOf(t, await any('*'), 'too_many_requests');
});

t.test('refusals count as well', async (t) => {
  const app = await guard(t, { rateLimit: 2 });
  const ask = (scope: Scope = 'read', url = '/v1/probe', headers: Record<string, string> = {}) =>
    app.inject(as(scope, { url, headers }));
  const left = (response: { headers: Record<string, unknown> }) =>
    /^"default";r=(\d+);t=(\d+)$/.exec(String(response.headers.ratelimit))?.[1];
  t.equal(left(await ask('read', '/v1/nowhere')), '1', 'what is refused counts, too');
  const forbidden = await app.inject(as('read', { method: 'POST', url: '/v1/probe' }));
  problemOf(t, forbidden, 'forbidden');
  t.equal(left(forbidden), '0');

  const refused = await ask();
  const { detail } = problemOf(t, refused, 'too_many_requests');
  t.match(detail, /2 requests per minute/);
  t.match(refused.headers['retry-after'], /^(59|60)$/);
  t.equal(refused.headers['ratelimit-policy'], '"default";q=2;w=60');
  t.equal(left(refused), '0');

  t.equal((await ask('write')).statusCode, 200, 'each token has its own');
  for (const url of ['/livez', '/readyz', '/openapi.json']) {
    const response = await ask('read', url);
    t.equal(response.statusCode, 200, `${url} is not counted`);
    t.notOk(response.headers.ratelimit);
  }
});

t.test('a limit of 0 is none', async (t) => {
  const app = await guard(t, { rateLimit: 0 });
  const response = await app.inject(as('read', { url: '/v1/probe' }));
  t.equal(response.statusCode, 200);
  t.notOk(response.headers.ratelimit);
});

t.test('an address that tries tokens has to wait', async (t) => {
  const app = await guard(t);
  const ask = (remoteAddress: string, authorization?: string) =>
    app.inject({
      url: '/v1/probe',
      remoteAddress,
      headers: authorization === undefined ? {} : { authorization },
    });
  const attacker = '192.0.2.1';
  for (let i = 0; i < 100; i += 1) {
    const again = await ask(attacker, 'Bearer expired');
    if (again.statusCode !== 401) t.fail('a client that repeats one wrong token is not a guesser');
    await ask(attacker);
  }
  for (let i = 1; i < 60; i += 1) {
    const guess = await ask(attacker, `Bearer guess-${i}`);
    if (guess.statusCode !== 401) t.fail(`guess ${i} is answered`);
  }
  const refused = await ask(attacker, 'Bearer guess-60');
  const { detail } = problemOf(t, refused, 'too_many_requests');
  t.match(detail, /^Too many wrong tokens from this address/);
  t.match(refused.headers['retry-after'], /^(59|60)$/);

  for (const token of [TOKENS.write, TOKENS.admin]) {
    const { statusCode } = await ask(attacker, `Bearer ${token}`);
    t.equal(statusCode, 200, 'a right token is accepted, though it was never seen before');
  }
  problemOf(t, await ask(attacker, 'Bearer guess-61'), 'too_many_requests');
  problemOf(t, await ask(attacker), 'unauthorized');
  t.equal((await ask('192.0.2.2', `Bearer ${TOKENS.admin}`)).statusCode, 200, 'others go on');
  t.equal((await app.inject({ url: '/livez', remoteAddress: attacker })).statusCode, 200);
});

t.test('behind a proxy that is trusted, the client is who it says', async (t) => {
  const guess = async (app: FastifyInstance, n: number, client: string) =>
    app.inject({
      url: '/v1/probe',
      remoteAddress: '127.0.0.1',
      headers: { authorization: `Bearer guess-${n}`, 'x-forwarded-for': client },
    });
  const trusting = await guard(t, { trustProxy: ['loopback'] });
  for (let i = 0; i < 60; i += 1) await guess(trusting, i, '192.0.2.1');
  problemOf(t, await guess(trusting, 60, '192.0.2.1'), 'too_many_requests');
  problemOf(t, await guess(trusting, 60, '192.0.2.2'), 'unauthorized');
  problemOf(t, await guess(trusting, 61, '192.0.2.3, 192.0.2.1'), 'too_many_requests');

  const wary = await guard(t);
  for (let i = 0; i < 60; i += 1) await guess(wary, i, `192.0.2.${i}`);
  problemOf(t, await guess(wary, 60, '192.0.2.200'), 'too_many_requests');
});

t.test('the document says which scope a route needs and how it refuses', async (t) => {
  const app = guarded;
  const { paths, components } = (await app.inject('/openapi.json')).json();
  t.match(components.securitySchemes, { bearer: { type: 'http', scheme: 'bearer' } });
  t.strictSame(paths['/livez'].get.security, []);
  for (const [{ security, description }, scope] of [
    [paths['/metrics'].get, 'read'],
    [paths['/v1/hosts'].post, 'write'],
    [paths['/v1/comparisons'].post, 'read'],
  ]) {
    t.strictSame(security, [{ bearer: [] }, {}]);
    t.ok(description.endsWith(`Scope: \`${scope}\`.`), description);
  }
  for (const [path, operations] of Object.entries(paths)) {
    if (!path.startsWith('/v1/')) continue;
    for (const { responses } of Object.values(
      operations as Record<string, { responses: object }>,
    )) {
      t.hasProps(responses, ['401', '403', '429'], path);
    }
  }
});
