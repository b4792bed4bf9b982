import { type AddressInfo, connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { ProblemError } from '../../src/service/problem-error.js';
import { build, problemOf } from '../helper.js';

t.test('what goes wrong inside', async (t) => {
  const app = await build(t, {}, (app: FastifyInstance) => {
    app.get('/v1/bug', async () => {
      throw new Error('the secret path is /etc/shadow');
    });
    app.get('/v1/odd', async () => {
      throw 'a string';
    });
    app.get('/v1/perf', async () => {
      const items = [{ pointer: '/counter', detail: 'PMC0 is taken' }];
      throw new ProblemError('perf_errno', 'PMC0 is taken.', items, { errno: 'EBUSY' });
    });
    app.get('/v1/later', async () => {
      throw new ProblemError('too_many_requests', 'Slow down.', [], {}, { 'retry-after': '1' });
    });
  });
  const bug = await app.inject('/v1/bug');
  problemOf(t, bug, 'internal');
  t.notMatch(bug.body, /secret|shadow|at /, 'a bug shows neither its text nor its stack');
  problemOf(t, await app.inject('/v1/odd'), 'internal');
  const refused = problemOf(t, await app.inject('/v1/perf'), 'perf_errno');
  t.match(refused, { errno: 'EBUSY', detail: 'PMC0 is taken.', errors: [{ pointer: '/counter' }] });
  const later = await app.inject('/v1/later');
  problemOf(t, later, 'too_many_requests');
  t.equal(later.headers['retry-after'], '1', 'a problem may carry headers');
});

t.test('ETags', async (t) => {
  let value = 1;
  const app = await build(t, {}, (app) => {
    app.get('/v1/thing', async () => ({ value }));
    app.post('/v1/thing', async () => ({ value }));
    app.get('/thing', async () => ({ value }));
  });
  const first = await app.inject('/v1/thing');
  const etag = String(first.headers.etag);
  t.match(etag, /^"[A-Za-z0-9_-]{20,}"$/, 'are strong');
  const get = (tag: string) => app.inject({ url: '/v1/thing', headers: { 'if-none-match': tag } });
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const unchanged = await get(tag);
    t.equal(unchanged.statusCode, 304, `If-None-Match: ${tag} is answered without a body`);
    t.equal(unchanged.body, '');
    t.equal(unchanged.headers.etag, etag);
  }
  t.equal((await app.inject({ method: 'HEAD', url: '/v1/thing' })).headers.etag, etag);
  value = 2;
  const changed = await get(etag);
  t.equal(changed.statusCode, 200, 'what changed is sent again');
  t.not(changed.headers.etag, etag);
  t.notOk((await app.inject({ method: 'POST', url: '/v1/thing' })).headers.etag, 'only on reads');
  t.notOk((await app.inject('/thing')).headers.etag, 'only under /v1');
});

t.test('negotiation', async (t) => {
  const app = await build(t, {}, (app) => {
    app.get('/v1/json', async () => ({}));
    app.get(
      '/v1/table',
      { config: { produces: ['application/json', 'text/csv', 'text/markdown'] } },
      async (request, reply) => reply.type('text/plain').send(request.answerType),
    );
  });
  const chosen = async (accept: string) =>
    (await app.inject({ url: '/v1/table', headers: { accept } })).body;
  t.equal((await app.inject('/v1/table')).body, 'application/json', 'prefers the first');
  t.equal(await chosen('*/*'), 'application/json');
  t.equal(await chosen('text/csv'), 'text/csv');
  t.equal(await chosen('text/*'), 'text/csv');
  t.equal(await chosen('text/csv;q=0.5, text/markdown'), 'text/markdown');
  t.equal(await chosen('text/html, */*;q=0.1'), 'application/json');
  t.equal(await chosen('application/json;q=0, */*'), 'text/csv');
  const refuse = (url: string, accept: string) => app.inject({ url, headers: { accept } });
  problemOf(t, await refuse('/v1/table', 'image/png'), 'not_acceptable');
  problemOf(t, await refuse('/v1/json', 'text/csv'), 'not_acceptable');
  problemOf(t, await refuse('/v1/json', ';;q=,'), 'not_acceptable');
});

t.test('request ids are ours, whatever the client sends', async (t) => {
  const app = await build(t);
  const seen = new Set<string>();
  for (let i = 0; i < 5; i += 1) {
    const response = await app.inject({ url: '/livez', headers: { 'x-request-id': 'forged' } });
    const id = String(response.headers['x-request-id']);
    t.match(id, /^req_[0-9a-z]{10,}$/);
    seen.add(id);
  }
  t.equal(seen.size, 5);
});

t.test('metrics', async (t) => {
  const app = await build(t, {}, (app) => {
    app.get('/v1/thing/:id', async () => ({}));
  });
  await app.inject('/v1/thing/1');
  await app.inject('/v1/thing/2');
  await app.inject('/nowhere');
  const response = await app.inject('/metrics');
  t.match(response.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const count = /^http_requests_total\{(.*)\} (\d+)$/gm;
  const counts = [...response.body.matchAll(count)].map(([, labels, n]) => `${labels} ${n}`);
  t.strictSame(
    counts.sort(),
    ['route="read",status="2xx" 2', 'route="unmatched",status="4xx" 1'],
    'requests are counted by class of route, so that ids make no new series',
  );
  t.match(response.body, /^process_resident_memory_bytes \d+/m);

  const open = await app.inject({
    url: '/metrics',
    headers: { accept: 'application/openmetrics-text; version=1.0.0' },
  });
  t.match(open.headers['content-type'], /^application\/openmetrics-text; version=1\.0\.0/);
  t.ok(open.body.endsWith('# EOF\n'), 'OpenMetrics is sent where it is asked for');

  const other = await build(t);
  const { body } = await other.inject('/metrics');
  t.notMatch(body, /route="read"/, 'two apps do not share their counts');
});

t.test('bytes that are not HTTP are answered with a problem', async (t) => {
  const app = await build(t);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const talk = (bytes: string) =>
    new Promise<string>((resolve) => {
      let answer = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('close', () => resolve(answer));
    });
  t.match(await talk('rubbish\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*\/problems\/bad_request/);
  const long = `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`;
  t.match(await talk(long), /^HTTP\/1\.1 431 [\s\S]*\/problems\/header_too_large/);
  const odd = 'PROPFIND /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';
  t.match(await talk(odd), /^HTTP\/1\.1 405 [\s\S]*allow: GET, HEAD/);
});

t.test('a request that takes too long to arrive is told so', async (t) => {
  const app = await build(t);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  // No client can be made to wait half a minute in a test. For the header, Node itself finds out at its next look.
  app.server.headersTimeout = 100;
  app.arrival.millisMax = 100;
  const slowly = (begin: string) =>
    new Promise<string>((resolve) => {
      let answer = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(begin));
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('close', () => resolve(answer));
    });
  const body = 'host: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{';
  const answers = await Promise.all([
    slowly('GET /livez HTTP/1.1\r\nhost: loc'),
    slowly(`POST /v1/hosts HTTP/1.1\r\n${body}`),
  ]);
  for (const answer of answers) {
    t.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
    t.match(answer, /\r\nx-content-type-options: nosniff\r\n/);
    t.match(answer, /"type":"\/problems\/request_timeout"/);
  }
});

t.test('no client holds a connection for ever', async (t) => {
  const { server, arrival } = await build(t);
  t.equal(server.headersTimeout, 30_000, 'the header of a request must arrive');
  t.equal(arrival.millisMax, 30_000, 'so must its body');
  t.equal(server.requestTimeout, 3_600_000, 'and even a text');
  t.equal(server.timeout, 120_000, 'an answer must be read');
  t.ok(server.timeout > 60_000, 'and the longest wait that may be asked for goes through');
  t.ok(server.keepAliveTimeout > 0 && server.keepAliveTimeout < server.timeout);
});
