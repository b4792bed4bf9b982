/** Which names the service answers to, and which web pages may change anything: DNS rebinding and cross-site requests. */
import { type AddressInfo, connect } from 'node:net';
import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { type Config, DEFAULT_CONFIG } from '../../../src/config/configuration.js';
import { hostName, hostOfAuthority } from '../../../src/config/host-name.js';
import { ANSWER_HEADERS } from '../../../src/http/admit/origin.js';
import { build, problemOf } from '../../helper.js';

const TOKEN = { name: 'ci', scope: 'admin', sha256: 'a'.repeat(64) } as const;

function start(t: Test, config: Partial<Config> = {}): Promise<FastifyInstance> {
  return build(t, { config: { ...DEFAULT_CONFIG, ...config } });
}

const statusFor = async (app: FastifyInstance, host: string, more: Record<string, string> = {}) =>
  (await app.inject({ url: '/livez', headers: { host, ...more } })).statusCode;

t.test('without tokens only names of this machine are served', async (t) => {
  const app = await start(t);
  for (const host of [
    'localhost',
    'LocalHost:8080',
    'localhost.:80',
    '127.0.0.1:8080',
    '127.8.9.10',
    '[::1]:8080',
    '[0:0:0:0:0:0:0:1]',
  ]) {
    t.equal(await statusFor(app, host), 200, host);
  }
  for (const host of [
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost@evil.example',
    'localhost:8080:8080',
    '192.0.2.1',
    '[2001:db8::1]:8080',
    '[::1',
    '::1',
    'localhost evil',
    'localhost/evil',
    'http://localhost',
    '0.0.0.0',
  ]) {
    t.equal(await statusFor(app, host), 421, host);
  }
  for (const { method, url } of [
    { method: 'GET', url: '/v1/hosts' },
    { method: 'POST', url: '/v1/hosts' },
    { method: 'DELETE', url: '/v1/hosts/host_1' },
    { method: 'GET', url: '/metrics' },
    { method: 'GET', url: '/docs/' },
    { method: 'GET', url: '/nowhere' },
  ] as const) {
    const payload =
      method === 'POST' ? { cpu_model: 'comet-lake', kernel: 'upstream-base' } : undefined;
    const response = await app.inject({
      method,
      url,
      headers: { host: 'evil.example', origin: 'http://evil.example' },
      ...(payload === undefined ? {} : { payload }),
    });
    const { detail } = problemOf(t, response, 'misdirected_request');
    t.match(detail, /"evil\.example" is not a name of this machine.*ALLOWED_HOSTS/);
  }
  const { items } = (await app.inject('/v1/hosts')).json();
  t.strictSame(items, [], 'and nothing was made');
});

t.test('the operator adds names', async (t) => {
  const app = await start(t, { allowedHosts: ['lab.example.org', '192.0.2.7'] });
  t.equal(await statusFor(app, 'lab.example.org:443'), 200);
  t.equal(await statusFor(app, 'LAB.example.org.'), 200);
  t.equal(await statusFor(app, '192.0.2.7'), 200);
  t.equal(await statusFor(app, 'x.lab.example.org'), 421);
  t.equal(await statusFor(app, 'localhost'), 200, 'and takes none away');
});

t.test(
  'a service that listens to others answers to addresses, which nobody can rebind',
  async (t) => {
    const app = await start(t, { host: '0.0.0.0', allowAnonymous: true });
    for (const host of ['192.0.2.1:8080', '[2001:db8::1]', 'localhost', hostname()]) {
      t.equal(await statusFor(app, host), 200, host);
    }
    t.equal(await statusFor(app, 'evil.example'), 421);
    const named = await start(t, { host: 'lab.example.org', allowAnonymous: true });
    t.equal(
      await statusFor(named, 'lab.example.org:8080'),
      200,
      'the name it listens on is its own',
    );
  },
);

t.test('where tokens are asked for, any name will do: no page has one', async (t) => {
  const app = await start(t, { tokens: [TOKEN] });
  t.equal(await statusFor(app, 'anything.example'), 200);
});

t.test('a proxy that is trusted says what was asked for, but only beside Host', async (t) => {
  const app = await start(t, { trustProxy: ['loopback'], allowedHosts: ['lab.example.org'] });
  const forwarded = { 'x-forwarded-host': 'lab.example.org' };
  t.equal(await statusFor(app, '127.0.0.1:8080', forwarded), 200);
  t.equal(await statusFor(app, '127.0.0.1', { 'x-forwarded-host': 'evil.example' }), 421);
  t.equal(await statusFor(app, 'evil.example', forwarded), 421, 'a page can send this field');
});

t.test('nothing is changed for a page of another site', async (t) => {
  const app = await start(t, { allowedHosts: ['lab.example.org'] });
  const made = await app.inject({
    method: 'POST',
    url: '/v1/hosts',
    payload: { cpu_model: 'comet-lake', kernel: 'upstream-base' },
  });
  const url = `/v1/hosts/${made.json().id}`;
  const send = (headers: Record<string, string>, method: 'POST' | 'DELETE' | 'GET' = 'POST') =>
    app.inject({
      method,
      url: method === 'POST' ? `${url}/ticks` : url,
      headers: { host: 'localhost:8080', ...headers },
    });
  for (const headers of [
    {},
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { origin: 'http://localhost:8080' },
    { origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' },
    { origin: 'https://lab.example.org' },
    { origin: 'https://lab.example.org', 'sec-fetch-site': 'cross-site' },
  ] as Record<string, string>[]) {
    t.equal((await send(headers)).statusCode, 200, JSON.stringify(headers));
  }
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://localhost:8080' },
    { origin: 'http://evil.example' },
    { origin: 'http://localhost:3000' },
    { origin: 'http://localhost' },
    { origin: 'null' },
    { origin: '' },
    { origin: 'http://evil.example/localhost:8080' },
    { origin: 'http://localhost:8080.evil.example' },
    { origin: 'http://localhost:8080@evil.example' },
    { origin: 'file://localhost:8080' },
  ] as Record<string, string>[]) {
    problemOf(t, await send(headers), 'foreign_origin');
    problemOf(t, await send(headers, 'DELETE'), 'foreign_origin');
    t.equal((await send(headers, 'GET')).statusCode, 200, 'reading changes nothing');
  }
  const guarded = await start(t, { tokens: [TOKEN] });
  const cross = { origin: 'http://evil.example', host: 'lab' };
  const refused = await guarded.inject({ method: 'POST', url: '/v1/hosts', headers: cross });
  problemOf(t, refused, 'foreign_origin');
});

t.test('a request has one Host', async (t) => {
  const app = await start(t);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const talk = (...lines: string[]) =>
    new Promise<string>((resolve) => {
      let answer = '';
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(`${lines.join('\r\n')}\r\n\r\n`),
      );
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('close', () => resolve(answer));
    });
  const close = 'connection: close';
  const bad = /^HTTP\/1\.1 400 [\s\S]*\/problems\/bad_request/;
  t.match(await talk('GET /livez HTTP/1.1', 'host: localhost', 'Host: localhost', close), bad);
  t.match(await talk('GET /livez HTTP/1.1', 'host: localhost', 'host: evil', close), bad);
  t.match(await talk('GET /livez HTTP/1.1', close), bad, 'none is as wrong');
  t.match(await talk('GET /livez HTTP/1.1', 'host: localhost', close), /^HTTP\/1\.1 200 /);
  t.match(await talk('GET /livez HTTP/1.0'), /^HTTP\/1\.1 200 /, 'HTTP/1.0 has no Host');
  const absolute = await talk('GET http://evil.example/livez HTTP/1.1', 'host: localhost', close);
  t.match(absolute, /^HTTP\/1\.1 421 /, 'nor does the request line name another');
});

t.test('names', async (t) => {
  t.equal(hostName('LAB.'), 'lab');
  t.equal(hostName('[2001:DB8:0:0::1]'), '2001:db8::1');
  t.equal(hostName('2001:DB8:0:0::1'), '2001:db8::1');
  for (const wrong of [
    '',
    '.',
    '-x',
    'a b',
    'a/b',
    'a@b',
    '[x]',
    '[::1]x',
    'a..b',
    'x'.repeat(256),
  ]) {
    t.equal(hostName(wrong), undefined, wrong);
  }
  t.equal(hostOfAuthority('lab:8080'), 'lab');
  t.equal(hostOfAuthority('[::1]:8080'), '::1');
  t.equal(hostOfAuthority('lab:'), 'lab');
  for (const wrong of ['', ':80', 'lab:x', 'lab:80:80', '[::1']) {
    t.equal(hostOfAuthority(wrong), undefined, wrong);
  }
});

t.test('every answer says that it is what it says, and for nobody else', async (t) => {
  const app = await start(t);
  for (const request of [
    { url: '/livez' },
    { url: '/metrics' },
    { url: '/openapi.json' },
    { url: '/problems/validation' },
    { url: '/docs/' },
    { url: '/docs/static/swagger-ui.css' },
    { url: '/docs/json' },
    { url: '/v1/kernels' },
    { url: '/v1/kernels', headers: { 'if-none-match': '*' } },
    { url: '/v1/nowhere' },
    { url: '/problems/%zz' },
    { url: '/livez', headers: { host: 'evil.example' } },
    { url: '/v1/hosts', method: 'POST', payload: '{"broken' },
    { url: '/v1/hosts', method: 'HEAD' },
  ] as const) {
    const response = await app.inject(request);
    t.match(response.headers, ANSWER_HEADERS, JSON.stringify(request));
  }
});
