/** A host's version as its ETag: what clients insist on, and what two instances make of many changes at once. */
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { problemOf } from '../helper.js';
import { emptyDatabase, startInstance } from '../instances.js';

const url = await emptyDatabase(t);
const [here, there] = [
  (await startInstance(t, url, { role: 'api' })).app,
  (await startInstance(t, url, { role: 'api' })).app,
];

const send = (
  app: FastifyInstance,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  headers: Record<string, string> = {},
  payload: object = {},
) => app.inject({ method, url: path, headers, ...(method === 'POST' ? { payload } : {}) });

async function newHost() {
  const payload = { cpu_model: 'emerald-rapids', kernel: 'upstream-base' };
  const made = await send(here, 'POST', '/v1/hosts', {}, payload);
  return { path: `/v1/hosts/${made.json().id}`, etag: String(made.headers.etag) };
}

t.test('the tag of a host is that of its last change, on every instance', async (t) => {
  const { path, etag } = await newHost();
  t.equal((await send(there, 'GET', path)).headers.etag, etag);
  const changed = await send(here, 'POST', `${path}/ticks`);
  t.not(changed.headers.etag, etag);
  for (const app of [here, there])
    t.equal((await send(app, 'GET', path)).headers.etag, changed.headers.etag);
  const refused = await send(here, 'POST', `${path}/pmu/enable`);
  problemOf(t, refused, 'conflict');
  t.equal(refused.headers.etag, undefined);
  t.equal(
    (await send(there, 'GET', path)).headers.etag,
    changed.headers.etag,
    'no change, no new tag',
  );
});

t.test('an unchanged host costs no body, a changed one does', async (t) => {
  const { path, etag } = await newHost();
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const unchanged = await send(there, 'GET', path, { 'if-none-match': tag });
    t.equal(unchanged.statusCode, 304, tag);
    t.equal(unchanged.body, '');
    t.equal(unchanged.headers.etag, etag);
  }
  await send(here, 'POST', `${path}/ticks`);
  t.equal((await send(there, 'GET', path, { 'if-none-match': etag })).statusCode, 200);
});

t.test('a change that insists on a version is made on that one only', async (t) => {
  const { path, etag } = await newHost();
  const first = await send(here, 'POST', `${path}/ticks`, { 'if-match': etag });
  t.equal(first.statusCode, 200);
  for (const tag of [etag, '"77"', 'W/"1"', '"x"', 'nonsense', '""']) {
    for (const app of [here, there]) {
      const refused = await send(app, 'POST', `${path}/ticks`, { 'if-match': tag });
      const problem = problemOf(t, refused, 'precondition_failed');
      t.match(problem.errors, [{ pointer: '/if-match', in: 'header' }], tag);
    }
  }
  t.equal((await send(there, 'GET', path)).headers.etag, first.headers.etag, 'nothing was changed');
  for (const asked of [() => '*', (now: string) => ` ${now} `, (now: string) => `"0", ${now}`]) {
    const tag = asked(String((await send(here, 'GET', path)).headers.etag));
    t.equal((await send(there, 'POST', `${path}/ticks`, { 'if-match': tag })).statusCode, 200, tag);
  }
  problemOf(
    t,
    await send(here, 'POST', '/v1/hosts/host_none/ticks', { 'if-match': '*' }),
    'not_found',
  );
});

t.test('of many that insist on the same version one wins', async (t) => {
  const { path, etag } = await newHost();
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, at) =>
      send(at % 2 ? here : there, 'POST', `${path}/ticks`, { 'if-match': etag }),
    ),
  );
  const codes = answers.map(({ statusCode }) => statusCode).sort();
  t.strictSame(codes, [200, ...Array(29).fill(412)]);
});

t.test('a host is deleted in the version that was read, or not at all', async (t) => {
  const { path, etag } = await newHost();
  const { headers } = await send(here, 'POST', `${path}/ticks`);
  problemOf(t, await send(there, 'DELETE', path, { 'if-match': etag }), 'precondition_failed');
  t.equal((await send(here, 'GET', path)).statusCode, 200);
  const gone = await send(there, 'DELETE', path, { 'if-match': String(headers.etag) });
  t.equal(gone.statusCode, 204);
  for (const app of [here, there]) {
    problemOf(t, await send(app, 'GET', path), 'not_found');
    problemOf(t, await send(app, 'POST', `${path}/ticks`), 'not_found');
    problemOf(t, await send(app, 'DELETE', path, { 'if-match': '*' }), 'not_found');
  }
});

t.test('200 steps through two instances are 200 steps, and every version comes once', async (t) => {
  const { path } = await newHost();
  const vcpu = (await send(here, 'POST', `${path}/vcpus`)).json().id;
  const before = (await send(here, 'GET', path)).json().micro_steps;
  const body = { kind: 'micro_step' };
  /** As a client does that is told to come back later. */
  const step = async (app: FastifyInstance): Promise<number> => {
    for (;;) {
      const answer = await send(app, 'POST', `${path}/vcpus/${vcpu}/transitions`, {}, body);
      if (answer.statusCode === 200) return Number(/\d+/.exec(String(answer.headers.etag))?.[0]);
      if (answer.statusCode !== 429) throw new Error(answer.body);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const versions = await Promise.all(
    Array.from({ length: 200 }, (_, at) => step(at % 2 ? here : there)),
  );
  const wanted = Array.from({ length: 200 }, (_, at) => at + 2);
  t.strictSame(
    versions.sort((a, b) => a - b),
    wanted,
  );
  for (const app of [here, there]) {
    t.equal((await send(app, 'GET', path)).json().micro_steps - before, 200);
    const { items } = (await send(app, 'GET', `${path}/trace?limit=1000`)).json();
    t.strictSame(
      items.map(({ index }: { index: number }) => index),
      Array.from({ length: 200 }, (_, at) => at + 1),
    );
  }
});

t.test('a host can be read while it grows', async (t) => {
  const { path } = await newHost();
  let growing = true;
  const grow = (async () => {
    for (let at = 0; at < 15; at += 1) {
      const { id } = (await send(here, 'POST', `${path}/vcpus`)).json();
      await send(here, 'POST', `${path}/vcpus/${id}/transitions`, {}, { kind: 'round_trip' });
    }
    growing = false;
  })();
  const codes = new Set<number>();
  while (growing) {
    const answers = await Promise.all(
      ['/trace?limit=1000', '', '/vcpus', '/metrics'].map((part) =>
        send(there, 'GET', `${path}${part}`),
      ),
    );
    for (const { statusCode } of answers) codes.add(statusCode);
  }
  await grow;
  t.strictSame([...codes], [200]);
});
