/** What the document says of answers is what the service sends: their headers, and which bodies may be left out. */
import { createHash } from 'node:crypto';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import t, { type Test } from 'tap';
import { DEFAULT_CONFIG } from '../../src/config/configuration.js';
import { build } from '../helper.js';

interface Answer {
  readonly $ref?: string;
  readonly content?: object;
  readonly headers?: Record<string, { readonly $ref: string }>;
}

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly required?: boolean };
  readonly responses: Record<string, Answer>;
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly responses: Record<string, Answer>;
    readonly headers: Record<string, { readonly required: boolean }>;
  };
}

const TOKEN = 'aaaa-0123456789abcdef';
const sha256 = createHash('sha256').update(TOKEN).digest('hex');
const tokens = [{ name: 'ci', scope: 'admin', sha256 }] as const;
const app = await build(t, { config: { ...DEFAULT_CONFIG, tokens } });
const document = app.swagger() as unknown as Document;

/** Which are of HTTP itself, or say how the body is to be read. */
const COMMON = new Set([
  'content-type',
  'content-length',
  'date',
  'connection',
  'vary',
  'cache-control',
  'x-content-type-options',
  'cross-origin-resource-policy',
]);

function operationOf(operationId: string): Operation {
  const all = Object.values(document.paths).flatMap((operations) => Object.values(operations));
  const found = all.find((operation) => operation.operationId === operationId);
  if (found === undefined) throw new Error(operationId);
  return found;
}

function checkHeaders(t: Test, operationId: string, response: LightMyRequestResponse): void {
  const answer = operationOf(operationId).responses[String(response.statusCode)];
  const what = `${operationId}, ${response.statusCode}`;
  const shared = answer?.$ref?.split('/').at(-1);
  const { headers } = (shared === undefined ? answer : document.components.responses[shared]) ?? {};
  if (headers === undefined) {
    t.fail(`${what} has no headers`);
    return;
  }
  const documented = Object.keys(headers).map((name) => name.toLowerCase());
  const sent = Object.keys(response.headers).filter((name) => !COMMON.has(name));
  for (const name of sent) t.ok(documented.includes(name), `${what}: ${name} is documented`);
  for (const name of Object.keys(headers)) {
    const { required } = document.components.headers[name] ?? {};
    if (required) t.ok(sent.includes(name.toLowerCase()), `${what}: ${name} is sent`);
  }
}

t.test('headers', async (t) => {
  const ask = async (operationId: string, request: InjectOptions, headers = {}) => {
    const authorization = `Bearer ${TOKEN}`;
    const response = await app.inject({ ...request, headers: { authorization, ...headers } });
    checkHeaders(t, operationId, response);
    return response;
  };
  const key = { 'idempotency-key': 'once' };
  const HOST = { cpu_model: 'emerald-rapids', kernel: 'upstream-base' };
  const post = (url: string, payload?: object): InjectOptions => ({
    method: 'POST',
    url,
    ...(payload === undefined ? {} : { payload }),
  });
  await ask('getLiveness', { url: '/livez' }, { authorization: '' });
  await ask('getMetrics', { url: '/metrics' });
  await ask('getWhoAmI', { url: '/v1/whoami' });
  await ask('getWhoAmI', { url: '/v1/whoami' }, { authorization: '' });
  await ask('createHost', post('/v1/hosts', HOST), key);
  const made = await ask('createHost', post('/v1/hosts', HOST), key);
  t.equal(made.headers['idempotent-replayed'], 'true');
  await ask('createHost', post('/v1/hosts', { ...HOST, cpus: 2 }), key);
  await ask('createHost', post('/v1/hosts', {}));
  await ask('createHost', post('/v1/hosts', HOST));
  const page = await ask('listHosts', { url: '/v1/hosts?limit=1' });
  t.ok(page.headers.link);
  await ask('listKernels', { url: '/v1/kernels?limit=2' });
  const url = `/v1/hosts/${made.json().id}`;
  await ask('getHost', { url });
  await ask('getHost', { url: '/v1/hosts/host_0' });
  const vcpu = (await ask('addVcpu', post(`${url}/vcpus`))).json();
  const moved = post(`${url}/vcpus/${vcpu.id}/transitions`, { kind: 'round_trip' });
  await ask('makeTransitions', moved);
  await ask('makeTransitions', moved, { 'if-match': '"0"' });
  const event = (await ask('openPerfEvent', post(`${url}/perf-events`, {}))).json();
  await ask('closePerfEvent', { method: 'DELETE', url: `${url}/perf-events/${event.id}` });
  await ask('getTrace', { url: `${url}/trace?limit=1` });
  await ask('runScript', post(`${url}/scripts`, { actions: [{ action: 'tick', cpu: 0 }] }));
  await ask('deleteHost', { method: 'DELETE', url });
  const search = post('/v1/explorations', { scenario: 'matrix-upstream-base-k3-late' });
  await ask('explore', search, { prefer: 'wait=30' });
  await ask('explore', search);
  await ask('listExplorations', { url: '/v1/explorations?limit=1' });
  await ask('getEvents', { url: '/v1/events?limit=1' });
  await ask(
    'compareKernels',
    post('/v1/comparisons', {
      kernels: ['upstream-base'],
      cpu_models: ['comet-lake'],
    }),
  );
});

t.test('every answer documents its headers, and 204 has no body', async (t) => {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      for (const [status, answer] of Object.entries(responses)) {
        const what = `${method} ${path} ${status}`;
        if (answer.$ref === undefined) t.ok(answer.headers?.['X-Request-Id'], what);
        if (status === '204') t.equal(answer.content, undefined, `${what} has no body`);
      }
    }
  }
});

t.test('a body is required where the service takes none without', async (t) => {
  const authorization = `Bearer ${TOKEN}`;
  const made = await app.inject({
    method: 'POST',
    url: '/v1/hosts',
    headers: { authorization },
    payload: { cpu_model: 'emerald-rapids', kernel: 'upstream-base' },
  });
  let seen = 0;
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { operationId, requestBody }] of Object.entries(operations)) {
      if (requestBody === undefined) continue;
      const url = path
        .replace('{host}', made.json().id)
        .replace('{observation}', 'obs_1')
        .replace('{node}', 'run_1')
        .replace(/\{(\w+)\}/g, '$1_1');
      const response = await app.inject({
        method: method.toUpperCase() as 'POST',
        url,
        headers: { authorization },
      });
      const isMissed = /a JSON object is required as the body|"\/problems\/unreadable_text"/.test(
        response.body,
      );
      t.equal(isMissed, requestBody.required !== false, `${operationId}: ${response.body}`);
      seen += 1;
    }
  }
  t.ok(seen > 15);
});
