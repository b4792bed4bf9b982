/** How JSON is laid out: for whom it is indented, and that caches and repeated requests are not misled by it. */
import type { InjectOptions } from 'fastify';
import t from 'tap';
import { build, problemOf } from '../../helper.js';

const CURL = { accept: '*/*', 'user-agent': 'curl/8.5.0' };
const PROGRAM = { accept: 'application/json', 'user-agent': 'curl/8.5.0' };
const HOST = { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' };

t.test(
  'JSON is indented for people and compact for programs, and ends with a newline',
  async (t) => {
    const app = await build(t);
    const url = '/v1/kernels/linux-7.2.6';
    const get = async (headers: Record<string, string>, query = '') => {
      const response = await app.inject({ url: `${url}${query}`, headers });
      t.equal(response.statusCode, 200, response.body);
      t.equal(Number(response.headers['content-length']), Buffer.byteLength(response.body));
      return response.body;
    };
    const compact = await get({});
    const indented = `${JSON.stringify(JSON.parse(compact), null, 2)}\n`;
    t.equal(compact, `${compact.trim()}\n`);
    t.notMatch(compact.trim(), '\n');
    t.equal(await get(CURL), indented);
    t.equal(await get({ ...CURL, 'user-agent': 'HTTPie/3.2.2' }), indented);
    t.equal(await get({ ...CURL, 'user-agent': 'Wget/1.21.4' }), indented);
    t.equal(await get({ ...CURL, 'user-agent': 'node' }), compact, 'no other client is for people');
    t.equal(await get(PROGRAM), compact, 'a program asks for JSON');
    t.equal(await get({ ...CURL, accept: 'application/json, */*;q=0.5' }), compact);
    for (const query of ['?pretty', '?pretty=true']) t.equal(await get(PROGRAM, query), indented);
    t.equal(await get(CURL, '?pretty=false'), compact);

    const refusal = await app.inject({ url: '/v1/hosts/host_0', headers: CURL });
    problemOf(t, refusal, 'not_found');
    t.equal(refusal.body, `${JSON.stringify(refusal.json(), null, 2)}\n`, 'problems, too');
    for (const query of ['?pretty=yes', '?pretty&pretty', '?pretty=']) {
      const response = await app.inject(`${url}${query}`);
      if (query === '?pretty=') t.equal(response.body, indented);
      else t.match(problemOf(t, response, 'validation').errors, [{ pointer: '/pretty' }]);
    }
    const misspelt = problemOf(t, await app.inject('/v1/kernels?limit=3&prety'), 'validation');
    t.match(misspelt.errors, [{ pointer: '/prety' }], 'nothing else is taken out of the query');
  },
);

t.test('a page is followed as it was begun', async (t) => {
  const app = await build(t);
  const response = await app.inject('/v1/kernels?limit=2&pretty');
  t.match(response.headers.link, 'pretty');
});

t.test('every layout has a tag of its own, and a change may name either', async (t) => {
  const app = await build(t);
  const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: HOST });
  for (const url of [`/v1/hosts/${made.json().id}`, '/v1/kernels/linux-7.2.6']) {
    const ask = (headers: Record<string, string>, method: 'GET' | 'HEAD' = 'GET') =>
      app.inject({ method, url, headers });
    const [forPeople, forPrograms] = [await ask(CURL), await ask(PROGRAM)];
    const tags = [forPeople, forPrograms].map(({ headers }) => String(headers.etag));
    t.not(tags[0], tags[1]);
    t.equal((await ask(CURL, 'HEAD')).headers.etag, tags[0]);
    t.match(forPeople.headers.vary, /accept, user-agent/);
    for (const [at, client] of [CURL, PROGRAM].entries()) {
      const own = await ask({ ...client, 'if-none-match': String(tags[at]) });
      t.equal(own.statusCode, 304);
      t.equal(own.body, '');
      const other = await ask({ ...client, 'if-none-match': String(tags[1 - at]) });
      t.equal(other.statusCode, 200, 'the other bytes are not what the client has');
    }
  }
  const url = `/v1/hosts/${made.json().id}`;
  const tag = String((await app.inject({ url, headers: CURL })).headers.etag);
  const vcpu = (etag: string) =>
    app.inject({ method: 'POST', url: `${url}/vcpus`, headers: { 'if-match': etag }, payload: {} });
  t.equal((await vcpu(tag)).statusCode, 201);
  problemOf(t, await vcpu(tag), 'precondition_failed');
});

t.test('a repeated request has the same bytes, and the layout is no part of it', async (t) => {
  const app = await build(t);
  const post = (url: string, headers: Record<string, string>) => {
    const request: InjectOptions = { method: 'POST', url, payload: HOST };
    return app.inject({ ...request, headers: { ...headers, 'idempotency-key': 'layout' } });
  };
  const first = await post('/v1/hosts', CURL);
  t.equal(first.statusCode, 201);
  const again = await post('/v1/hosts', CURL);
  t.equal(again.headers['idempotent-replayed'], 'true');
  t.equal(again.body, first.body);
  t.match(first.body, '\n  "id"');
  const compact = await post('/v1/hosts', PROGRAM);
  t.equal(compact.headers['idempotent-replayed'], 'true');
  t.strictSame(compact.json(), first.json());
  const pretty = await post('/v1/hosts?pretty', PROGRAM);
  t.equal(pretty.headers['idempotent-replayed'], 'true', 'nor does the parameter make another');
  t.equal(pretty.body, first.body);
});
