/** Requests repeated under their Idempotency-Key, on the instance that answered, on another, and on one started later. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import t, { type Test } from 'tap';
import { problemOf } from '../helper.js';
import { emptyDatabase, eventually, meddler, startInstance } from '../instances.js';

const url = await emptyDatabase(t);
const here = await startInstance(t, url, { role: 'api' });
const there = await startInstance(t, url, { role: 'api' });
const sql = await meddler(t, url);

const HOST = { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' };

function post(
  app: FastifyInstance,
  path: string,
  key: string | null,
  body: unknown = {},
  more = {},
) {
  const headers = { ...(key === null ? {} : { 'idempotency-key': key }), ...more };
  return app.inject({ method: 'POST', url: path, headers, payload: body as object });
}

/** A host with a vCPU; its path and the vCPU's. */
async function newHost(): Promise<{ host: string; vcpu: string }> {
  const made = await post(here.app, '/v1/hosts', null, { ...HOST, cpus: 2 });
  const host = `/v1/hosts/${made.json().id}`;
  const vcpu = await post(here.app, `${host}/vcpus`, null);
  return { host, vcpu: `${host}/vcpus/${vcpu.json().id}` };
}

async function microSteps(host: string): Promise<number> {
  return (await there.app.inject(host)).json().micro_steps;
}

function seen({ statusCode, body, headers }: LightMyRequestResponse) {
  return {
    statusCode,
    body,
    location: headers.location,
    etag: headers.etag,
    type: headers['content-type'],
  };
}

function replays(
  t: Test,
  again: LightMyRequestResponse,
  first: LightMyRequestResponse,
  what: string,
) {
  t.equal(first.headers['idempotent-replayed'], undefined, `${what} was done`);
  t.equal(again.headers['idempotent-replayed'], 'true', `${what} was not done again`);
  t.strictSame(seen(again), seen(first), what);
}

/** What no key is taken for: calculators change nothing, a cancel or a report repeated is the same one, and callbacks name their job. */
const WITHOUT_KEY = [
  '/v1/callbacks/lava',
  '/v1/callbacks/pull-labs',
  '/v1/campaigns/{campaign}/cancel',
  '/v1/comparisons',
  '/v1/comparisons/runs',
  '/v1/explanations/{explanation}/cancel',
  '/v1/explorations/{exploration}/cancel',
  '/v1/explorations/{exploration}/pause',
  '/v1/explorations/{exploration}/resume',
  '/v1/identify',
  '/v1/leases/{lease}/complete',
  '/v1/pool-jobs/{job}/cancel',
  '/v1/pools/{pool}/machines/{machine}/reset',
  '/v1/round-trips',
  '/v1/switch-lists',
];

const TEXT = { 'content-type': 'text/plain' };
const TRACE = '       CPU 0/KVM-4200    [000] d..1.   100.000001: kvm_entry: vcpu 0, rip 0x0\n';

/** Every route that creates or steps, with a request that it carries out. */
async function requests(): Promise<{ route: string; path: string; body: unknown }[]> {
  const { host, vcpu } = await newHost();
  const opened = await post(here.app, `${host}/perf-events`, null, {
    counter: 'PMC3',
    precise_ip: 2,
  });
  const event = `${host}/perf-events/${opened.json().id}`;
  const scenario = 'matrix-linux-7.2.6-k3-prompt';
  const matrix = {
    kernels: ['linux-7.2.6'],
    cpu_models: ['emerald-rapids'],
    scenarios: [scenario],
  };
  const trace = await post(here.app, '/v1/observations', null, TRACE, TEXT);
  const observation = `/v1/observations/${trace.json().id}`;
  const pool = `lab-${observation.slice(-12)}`;
  await here.app.inject({ method: 'PUT', url: `/v1/pools/${pool}` });
  const job = { pool, run: { script: 'true' } };
  await post(here.app, '/v1/pool-jobs', null, job);
  const H = '/v1/hosts/{host}';
  return [
    { route: '/v1/hosts', path: '/v1/hosts', body: HOST },
    {
      route: `${H}/perf-events`,
      path: `${host}/perf-events`,
      body: { counter: 'PMC0', precise_ip: 2 },
    },
    { route: `${H}/perf-events/{event}/disable`, path: `${event}/disable`, body: {} },
    { route: `${H}/perf-events/{event}/enable`, path: `${event}/enable`, body: { micro_steps: 1 } },
    { route: `${H}/advance`, path: `${host}/advance`, body: { cpu: 0 } },
    { route: `${H}/copies`, path: `${host}/copies`, body: {} },
    { route: `${H}/vcpus`, path: `${host}/vcpus`, body: { name: 'guest-b' } },
    {
      route: `${H}/vcpus/{vcpu}/wrmsr`,
      path: `${vcpu}/wrmsr`,
      body: { msr: 'IA32_DS_AREA', value: '0xffff888000049000' },
    },
    {
      route: `${H}/vcpus/{vcpu}/transitions`,
      path: `${vcpu}/transitions`,
      body: { kind: 'round_trip', trace: true },
    },
    { route: `${H}/vcpus/{vcpu}/migrate`, path: `${vcpu}/migrate`, body: { cpu: 1 } },
    { route: `${H}/nmis`, path: `${host}/nmis`, body: { throttle: ['PMC0'] } },
    { route: `${H}/ticks`, path: `${host}/ticks`, body: {} },
    { route: `${H}/pmu/disable`, path: `${host}/pmu/disable`, body: {} },
    { route: `${H}/pmu/enable`, path: `${host}/pmu/enable`, body: {} },
    { route: `${H}/scripts`, path: `${host}/scripts`, body: { actions: [{ action: 'tick' }] } },
    { route: '/v1/explorations', path: '/v1/explorations', body: { scenario } },
    {
      route: '/v1/campaigns',
      path: '/v1/campaigns',
      body: { matrix, walks: 5, steps_per_walk: 5 },
    },
    {
      route: '/v1/observations',
      path: '/v1/observations?format=rdmsr&machine=host-17',
      body: 'cpu=0 3f1=0000000000000000\n',
    },
    {
      route: '/v1/observations/{observation}/explanations',
      path: `${observation}/explanations`,
      body: { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' },
    },
    { route: '/v1/pool-jobs', path: '/v1/pool-jobs', body: job },
    {
      route: '/v1/pools/{pool}/leases',
      path: `/v1/pools/${pool}/leases`,
      body: { machine: 'host-17' },
    },
  ];
}

t.test('every other route that is posted to is known here', async (t) => {
  const { paths } = (await here.app.inject('/openapi.json')).json();
  const all = Object.keys(paths).filter((path) => path.startsWith('/v1/') && 'post' in paths[path]);
  const known = [...WITHOUT_KEY, ...(await requests()).map(({ route }) => route)];
  t.strictSame(all.sort(), known.sort());
});

t.test('calculators and cancels take no key: the same again is the same', async (t) => {
  const scenario = 'matrix-linux-7.2.6-k3-prompt';
  const { id } = (await post(here.app, '/v1/explorations', null, { scenario })).json();
  const path = `/v1/explorations/${id}/cancel`;
  const answers = [];
  // An empty key would be refused by a route that takes one.
  for (const key of ['x', 'x', '']) answers.push(await post(here.app, path, key));
  for (const { statusCode, headers, body } of answers) {
    t.equal(statusCode, 200);
    t.equal(headers['idempotent-replayed'], undefined);
    t.equal(body, answers[0]?.body);
  }
  const comparison = { kernels: ['linux-7.2.6'], cpu_models: ['emerald-rapids'] };
  t.equal((await post(here.app, '/v1/comparisons', '', comparison)).statusCode, 200);
});

t.test(
  'a request repeated is answered as the first time, byte for byte, by any instance',
  async (t) => {
    const later: { path: string; body: unknown; first: LightMyRequestResponse; key: string }[] = [];
    for (const [at, { path, body }] of (await requests()).entries()) {
      const key = `every-${at}`;
      const first = await post(here.app, path, key, body);
      t.ok(first.statusCode < 300, `${path}: ${first.body.slice(0, 200)}`);
      replays(t, await post(here.app, path, key, body), first, path);
      replays(t, await post(there.app, path, `"${key}"`, body), first, `${path} quoted`);
      later.push({ path, body, first, key });
    }
    const restarted = await startInstance(t, url, { role: 'api' });
    for (const { path, body, first, key } of later) {
      replays(t, await post(restarted.app, path, key, body), first, `${path} after a restart`);
    }
  },
);

t.test('repeated by both instances at once it is done once', async (t) => {
  const { host, vcpu } = await newHost();
  const before = await microSteps(host);
  const step = (at: number) =>
    post(at % 2 ? here.app : there.app, `${vcpu}/transitions`, 'crowd', { kind: 'micro_step' });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => step(at)));
  const done = answers.filter(({ statusCode }) => statusCode === 200);
  const originals = done.filter(({ headers }) => headers['idempotent-replayed'] === undefined);
  t.equal(originals.length, 1);
  for (const answer of done) t.equal(answer.body, originals[0]?.body);
  for (const answer of answers)
    if (answer.statusCode !== 200) problemOf(t, answer, 'idempotency_key_in_flight');
  t.equal((await microSteps(host)) - before, 1);
  replays(t, await step(0), originals[0]!, 'afterwards');
});

t.test('two keys are two steps', async (t) => {
  const { host, vcpu } = await newHost();
  const before = await microSteps(host);
  await post(here.app, `${vcpu}/transitions`, 'one', { kind: 'micro_step' });
  await post(there.app, `${vcpu}/transitions`, 'two', { kind: 'micro_step' });
  t.equal((await microSteps(host)) - before, 2);
});

t.test('fields in another order are the same request', async (t) => {
  const { host } = await newHost();
  const script = (actions: unknown[]) => post(here.app, `${host}/scripts`, 'order', { actions });
  const open = { action: 'open_event', counter: 'PMC0', precise_ip: 2, name: 'a' };
  const nmi = { action: 'nmi', cpu: 0, overflow: ['PMC0'] };
  const first = await script([open, nmi]);
  t.equal(first.statusCode, 200, first.body);
  const turned = (fields: object) => Object.fromEntries(Object.entries(fields).reverse());
  replays(t, await script([turned(open), turned(nmi)]), first, 'a script');
  problemOf(t, await script([nmi, open]), 'idempotency_key_reused');
});

t.test('a key used for another body or path is refused, and nothing happens', async (t) => {
  const { host, vcpu } = await newHost();
  await post(here.app, `${vcpu}/transitions`, 'mine', { kind: 'micro_step' });
  const before = await microSteps(host);
  const others: [string, unknown][] = [
    [`${vcpu}/transitions`, { kind: 'micro_step', count: 2 }],
    [`${host}/ticks`, {}],
  ];
  for (const [path, body] of others) {
    for (const { app } of [here, there]) {
      const problem = problemOf(t, await post(app, path, 'mine', body), 'idempotency_key_reused');
      t.match(problem.errors, [{ pointer: '/idempotency-key', in: 'header' }]);
    }
  }
  t.equal(await microSteps(host), before);
});

t.test('a key whose request is being answered is refused on every instance', async (t) => {
  const { host, vcpu } = await newHost();
  await sql.query('begin');
  await sql.query('select 1 from hosts where id = $1 for update', [host.split('/').at(-1)]);
  // The answer waits for the row of its host.
  const ask = (app: FastifyInstance) =>
    post(app, `${vcpu}/transitions`, 'slow', { kind: 'micro_step' });
  const first = ask(here.app);
  const watch = await meddler(t, url);
  const waiting = async () => {
    const { rows } = await watch.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length;
  };
  t.equal(await eventually(waiting, (count) => count === 1), 1);
  for (const { app } of [here, there]) {
    const refused = await ask(app);
    problemOf(t, refused, 'idempotency_key_in_flight');
    t.equal(refused.headers['retry-after'], '1');
  }
  await sql.query('rollback');
  const done = await first;
  replays(t, await ask(there.app), done, 'once it is answered');
});

t.test('what was refused stays refused under its key', async (t) => {
  const { vcpu, host } = await newHost();
  const exit = { kind: 'vm_exit' };
  const conflict = await post(here.app, `${vcpu}/transitions`, 'exit', exit);
  problemOf(t, conflict, 'conflict');
  const event = { counter: 'FIXED9' };
  const rule = await post(here.app, `${host}/perf-events`, 'rule', event);
  t.equal(rule.statusCode, 422, rule.body);
  await post(here.app, `${vcpu}/transitions`, null, { kind: 'vm_entry' });
  const again = [
    [conflict, await post(there.app, `${vcpu}/transitions`, 'exit', exit)],
    [rule, await post(there.app, `${host}/perf-events`, 'rule', event)],
  ] as const;
  for (const [first, replayed] of again) {
    t.equal(replayed.headers['idempotent-replayed'], 'true');
    const { request_id: firstId, ...said } = first.json();
    const { request_id: id, ...says } = replayed.json();
    t.strictSame(says, said);
    t.not(id, firstId, 'each request has an id of its own');
  }
});

t.test('a request that never had the right shape leaves its key free', async (t) => {
  const { vcpu } = await newHost();
  const path = `${vcpu}/transitions`;
  problemOf(t, await post(here.app, path, 'shape', { kind: 'sideways' }), 'validation');
  const headers = { 'idempotency-key': 'shape', 'content-type': 'application/json' };
  const broken = await here.app.inject({ method: 'POST', url: path, headers, payload: '{"kind"' });
  problemOf(t, broken, 'malformed_json');
  problemOf(t, await post(here.app, '/v1/hosts/host_none/ticks', 'shape'), 'not_found');
  const done = await post(there.app, path, 'shape', { kind: 'micro_step' });
  t.equal(done.statusCode, 200);
  t.equal(done.headers['idempotent-replayed'], undefined);
});

t.test('keys are 1 to 255 visible characters', async (t) => {
  const { host } = await newHost();
  for (const key of [
    '',
    ' ',
    '""',
    '"a b"',
    'a b',
    'a\tb',
    'k'.repeat(256),
    `"${'k'.repeat(256)}"`,
  ]) {
    const problem = problemOf(t, await post(here.app, `${host}/ticks`, key), 'validation');
    t.match(problem.errors, [{ pointer: '/idempotency-key', in: 'header' }], JSON.stringify(key));
  }
  for (const key of ['k', '~!@#$%^&*()', 'k'.repeat(255), ' "quoted" ']) {
    const done = await post(here.app, `${host}/ticks`, key);
    t.equal(done.statusCode, 200, done.body);
  }
});

t.test('a key belongs to the token that used it', async (t) => {
  const token = (name: string) => ({
    name,
    scope: 'write' as const,
    sha256: createHash('sha256').update(`${name}-0123456789`).digest('hex'),
  });
  const { app } = await startInstance(t, url, {
    role: 'api',
    tokens: [token('ann'), token('bob')],
  });
  const { host, vcpu } = await newHost();
  const before = await microSteps(host);
  const step = (name: string) =>
    post(
      app,
      `${vcpu}/transitions`,
      'shared',
      { kind: 'micro_step' },
      { authorization: `Bearer ${name}-0123456789` },
    );
  const [ann, bob] = [await step('ann'), await step('bob')];
  t.equal(bob.headers['idempotent-replayed'], undefined);
  t.not(bob.headers.etag, ann.headers.etag);
  replays(t, await step('ann'), ann, "ann's");
  replays(t, await step('bob'), bob, "bob's");
  t.equal((await microSteps(host)) - before, 2);
});
