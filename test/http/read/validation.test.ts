import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { EventActionRequestSchema } from '../../../schemas/actor.js';
import { PageQuerySchema } from '../../../schemas/common.js';
import { HostCreateSchema, HostParamsSchema } from '../../../schemas/host.js';
import { PerfEventCreateSchema } from '../../../schemas/perf-event.js';
import { ScriptRequestSchema } from '../../../schemas/script.js';
import { SwitchListRequestSchema } from '../../../schemas/switch-list.js';
import { TransitionRequestSchema } from '../../../schemas/transition.js';
import { build, problemOf } from '../../helper.js';

const echoes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/v1/host', { schema: { body: HostCreateSchema } }, async ({ body }) => body);
  app.post('/v1/event', { schema: { body: PerfEventCreateSchema } }, async ({ body }) => body);
  app.post('/v1/list', { schema: { body: SwitchListRequestSchema } }, async ({ body }) => body);
  app.post('/v1/script', { schema: { body: ScriptRequestSchema } }, async ({ body }) => body);
  app.post('/v1/move', { schema: { body: TransitionRequestSchema } }, async ({ body }) => body);
  app.post(
    '/v1/enable',
    { config: { optionalBody: true }, schema: { body: EventActionRequestSchema } },
    async ({ body }) => body,
  );
  app.post('/v1/bare', async () => ({}));
  app.get('/v1/page', { schema: { querystring: PageQuerySchema } }, async ({ query }) => query);
  app.get('/v1/plain', async () => ({}));
  app.get(
    '/v1/echoes/:host',
    { schema: { params: HostParamsSchema } },
    async ({ params }) => params,
  );
};

const withEchoes = (app: FastifyInstance): void => void app.register(echoes);

const HOST = { cpu_model: 'emerald-rapids', kernel: 'upstream-base' };
const PERF = {
  intel_ctrl_guest_mask: '0x0',
  intel_ctrl_host_mask: '0x1',
  pebs_enabled: 1,
  active_pebs_data_cfg: '0',
  ds: '0xfffffe0000016000',
};

t.test('a body', async (t) => {
  const app = await build(t, {}, withEchoes);
  const post = (url: string, payload: object | string) =>
    app.inject({
      method: 'POST',
      url,
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
      headers: { 'content-type': 'application/json' },
    });
  const errorsOf = async (url: string, payload: object | string) =>
    problemOf(t, await post(url, payload), 'validation').errors;

  t.test('that is right passes unchanged', async (t) => {
    t.strictSame((await post('/v1/host', HOST)).json(), HOST);
    const list = { kernel: 'pebs-v2', cpu_model: 'ice-lake', perf: PERF, kvm_pmu: null };
    t.strictSame((await post('/v1/list', list)).json(), list);
  });

  t.test('gets its defaults, also inside a tagged union', async (t) => {
    const move = { kind: 'round_trip', inject: [{ at: 'guest', nmi: {} }] };
    t.match((await post('/v1/move', move)).json(), {
      count: 1,
      exit_reason: 'external_interrupt',
      trace: false,
      inject: [{ occurrence: 1 }],
    });
    const script = { actions: [{ action: 'tick' }, { action: 'transition', vcpu: 'a', ...move }] };
    t.match((await post('/v1/script', script)).json(), {
      actions: [{ cpu: 0 }, { count: 1, inject: [{ occurrence: 1 }] }],
    });
  });

  t.test('with a misspelt field names it and guesses what was meant', async (t) => {
    const errors = await errorsOf('/v1/host', { ...HOST, microcod: '0x1' });
    t.strictSame(errors, [
      { pointer: '/microcod', detail: 'unknown field, did you mean "microcode"?' },
    ]);
    t.match(await errorsOf('/v1/host', { cpuModel: 'x', kernel: 'y' }), [
      { pointer: '/cpuModel', detail: 'unknown field, did you mean "cpu_model"?' },
      { pointer: '/cpu_model', detail: 'is required' },
    ]);
    t.match(await errorsOf('/v1/host', { ...HOST, 'a/b~c': 1 }), [{ pointer: '/a~1b~0c' }]);
  });

  t.test('with a wrong value is told once per field, and nothing is converted', async (t) => {
    for (const cpus of ['2', null, 2.5, 0, 9, true, [], {}, 1e300]) {
      const errors = await errorsOf('/v1/host', { ...HOST, cpus });
      t.equal(errors.length, 1, `cpus: ${JSON.stringify(cpus)} gives one error`);
      t.equal(errors[0]?.pointer, '/cpus');
    }
    for (const microcode of ['0x', '0x12345678123456789', '-1', 'ff', -1, 1.5, null, '', ' 1']) {
      const errors = await errorsOf('/v1/host', { ...HOST, microcode });
      t.equal(errors.length, 1, `microcode: ${JSON.stringify(microcode)} gives one error`);
      t.equal(errors[0]?.pointer, '/microcode');
    }
    t.match(await errorsOf('/v1/move', { kind: 'vmexit' }), [
      { pointer: '/kind', detail: /did you mean "vm_exit"\?/ },
    ]);
  });

  t.test('that gives alternatives at once, or none, is told which they are', async (t) => {
    t.match(await errorsOf('/v1/list', { kernel: 'k', perf: PERF }), [
      { pointer: '', detail: 'one of cpu_model, cpu is required' },
    ]);
    const cpu = {
      ds_pebs: true,
      pebs_no_isolation: false,
      pebs_ept: true,
      pebs_baseline: true,
      pebs_capable: '0xff',
      intel_ctrl: '0xff',
    };
    const both = await errorsOf('/v1/list', { kernel: 'k', cpu_model: 'm', cpu, perf: PERF });
    t.match(both, [{ pointer: '', detail: 'only one of cpu_model, cpu may be given' }]);
  });

  t.test('that is a tagged union reports the branch its tag chose and no other', async (t) => {
    const errors = await errorsOf('/v1/script', {
      actions: [
        { action: 'tick', cpu: 9 },
        { action: 'migrate', vcpu: 'a' },
        { action: 'tock' },
        {},
      ],
    });
    t.match(errors, [
      { pointer: '/actions/0/cpu', detail: 'must be <= 7, not 9' },
      { pointer: '/actions/1/cpu', detail: 'is required' },
      { pointer: '/actions/2/action', detail: /did you mean "tick"\?/ },
      { pointer: '/actions/3/action', detail: 'is required' },
    ]);
    t.equal(errors.length, 4);
    t.match(await errorsOf('/v1/script', { actions: [{ action: 'tick', cpus: 0 }, 7] }), [
      { pointer: '/actions/0/cpus', detail: 'unknown field, did you mean "cpu"?' },
      { pointer: '/actions/1', detail: 'must be an object, not 7' },
    ]);
  });

  t.test('that is missing is asked for where one is needed, and only there', async (t) => {
    for (const payload of ['', '  \n', 'null']) {
      t.match(await errorsOf('/v1/host', payload), [{ pointer: '', detail: /required/ }]);
    }
    problemOf(t, await app.inject({ method: 'POST', url: '/v1/host' }), 'validation');
    t.strictSame((await app.inject({ method: 'POST', url: '/v1/enable' })).json(), {});
    t.strictSame((await post('/v1/enable', '')).json(), {});
    problemOf(t, await post('/v1/enable', { injekt: [] }), 'validation');
    t.equal((await post('/v1/bare', {})).statusCode, 200);
    problemOf(t, await post('/v1/bare', { x: 1 }), 'validation');
  });

  t.test('that is not JSON is told where it breaks', async (t) => {
    const at = async (text: string) =>
      problemOf(t, await post('/v1/host', text), 'malformed_json').detail;
    t.match(await at('{"a": x}'), /line 1, column 7 \(position 6\)/);
    t.match(await at('{\n  "a": 1,\n}'), /line 3, column 1 /);
    t.match(await at('{"a": 1'), /ends too early at line 1, column 8/);
    t.match(await at('{"a": 01}'), /position 7/);
    t.match(await at('{"a": "\u0001"}'), /position 6/);
    t.match(await at('{} {}'), /follows the JSON value/);
  });

  t.test('with a field given twice, a __proto__ or bottomless nesting is refused', async (t) => {
    t.match(await errorsOf('/v1/host', '{"kernel":"a","cpu_model":"b","kernel":"c"}'), [
      { pointer: '/kernel', detail: 'the field is given more than once' },
    ]);
    t.match(await errorsOf('/v1/script', '{"actions":[{"action":"tick","\\u0061ction":"nmi"}]}'), [
      { pointer: '/actions/0/action', detail: 'the field is given more than once' },
    ]);
    t.match(await errorsOf('/v1/host', '{"__proto__":{"kernel":"a"}}'), [
      { pointer: '/__proto__' },
    ]);
    t.match(await errorsOf('/v1/host', '{"\\u005f_proto__":1}'), [{ pointer: '/__proto__' }]);
    t.match(await errorsOf('/v1/host', '{"constructor":{"prototype":{}}}'), [
      { pointer: '/constructor' },
    ]);
    const deep = `${'['.repeat(100)}${']'.repeat(100)}`;
    t.match(await errorsOf('/v1/host', `{"x":${deep}}`), [
      { pointer: `/x${'/0'.repeat(31)}`, detail: 'nested deeper than 32 levels' },
    ]);
    // Whatever would have followed: it is not read.
    t.match(await errorsOf('/v1/host', '['.repeat(200_000)), [{ detail: /deeper than 32/ }]);
  });

  t.test('with more fields or values than any has use for is refused', async (t) => {
    const fields = (n: number) => `{${Array.from({ length: n }, (_, i) => `"f${i}":1`).join()}}`;
    const values = (one: string, n: number) => `{"actions":[${Array(n).fill(one).join()}]}`;
    t.match(await errorsOf('/v1/script', fields(1001)), [
      { pointer: '', detail: 'has more than 1000 fields' },
    ]);
    t.match(await errorsOf('/v1/script', `{"actions":[7,${fields(1001)}]}`), [
      { pointer: '/actions/1', detail: 'has more than 1000 fields' },
    ]);
    t.match(await errorsOf('/v1/script', fields(1000)), [{ detail: /unknown field/ }]);
    t.match(await errorsOf('/v1/script', values(fields(1000), 16)), [
      { pointer: '', detail: 'has more than 16000 fields' },
    ]);
    t.match(await errorsOf('/v1/script', values(fields(999), 16)), [
      { pointer: '/actions/0/action' },
    ]);
    t.match(await errorsOf('/v1/script', values('1', 50_001)), [
      { pointer: '', detail: 'has more than 50000 values' },
    ]);
    t.match(await errorsOf('/v1/script', values('{}', 25_001)), [{ detail: /more than 50000/ }]);
    t.match(await errorsOf('/v1/script', values('1', 49_000)), [{ pointer: '/actions' }]);
    const quoted = `{"actions":["${'[{,:'.repeat(10_000)}"]}`;
    t.match(await errorsOf('/v1/script', quoted), [{ pointer: '/actions/0' }], 'text is no value');
  });

  t.test('of another type, encoded, or above 256 KiB is refused', async (t) => {
    const send = (contentType: string, payload = '{}') =>
      app.inject({
        method: 'POST',
        url: '/v1/host',
        payload,
        headers: { 'content-type': contentType },
      });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml',
      'x',
    ]) {
      problemOf(t, await send(type), 'unsupported_media_type');
    }
    t.equal((await send('application/json; charset=utf-8', JSON.stringify(HOST))).statusCode, 200);
    const zipped = await app.inject({
      method: 'POST',
      url: '/v1/host',
      payload: '{}',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    problemOf(t, zipped, 'unsupported_media_type');
    const large = await post('/v1/host', `{"name":"${'x'.repeat(256 * 1024)}"}`);
    problemOf(t, large, 'body_too_large');
  });

  t.test('full of errors is answered briefly', async (t) => {
    const actions = `[${Array(24_000).fill('{}').join(',')}]`;
    const problem = problemOf(t, await post('/v1/script', `{"actions":${actions}}`), 'validation');
    t.ok(problem.errors.length <= 20);
  });

  t.test('of rubbish never makes the service fail', async (t) => {
    const urls = ['/v1/host', '/v1/event', '/v1/list', '/v1/script', '/v1/move', '/v1/enable'];
    const action = fc.record({
      action: fc.constantFrom('tick', 'nmi', 'wrmsr'),
      cpu: fc.jsonValue(),
    });
    const bodies = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ actions: fc.array(fc.oneof(action, fc.jsonValue())) })
        .map((x) => JSON.stringify(x)),
      fc
        .dictionary(fc.constantFrom('kernel', 'cpu', 'cpus', 'inject', 'perf'), fc.jsonValue())
        .map((x) => JSON.stringify(x)),
    );
    const isUnderstood = async (url: string, body: string) =>
      [200, 400].includes((await post(url, body)).statusCode);
    const property = fc.asyncProperty(fc.constantFrom(...urls), bodies, isUnderstood);
    await t.resolves(fc.assert(property, { numRuns: 500 }));
  });
});

t.test('a query', async (t) => {
  const app = await build(t, {}, withEchoes);
  const errorsOf = async (url: string) => problemOf(t, await app.inject(url), 'validation').errors;

  t.strictSame((await app.inject('/v1/page')).json(), { limit: 50 }, 'gets its defaults');
  t.strictSame((await app.inject('/v1/page?limit=7')).json(), { limit: 7 }, 'is read as numbers');
  for (const limit of ['0', '1001', 'x', '', '1.5', '1&limit=2']) {
    t.match(
      await errorsOf(`/v1/page?limit=${limit}`),
      [{ pointer: '/limit', in: 'query' }],
      `limit=${limit} is refused by name`,
    );
  }
  t.match(await errorsOf('/v1/page?limt=5'), [{ pointer: '/limt', detail: /mean "limit"/ }]);
  t.match(await errorsOf('/v1/plain?x=1'), [{ pointer: '/x', detail: /no fields are expected/ }]);
});

t.test('what can be neither an id nor a name is not found', async (t) => {
  const app = await build(t, {}, withEchoes);
  t.equal((await app.inject('/v1/echoes/host_1')).statusCode, 200);
  const problem = problemOf(t, await app.inject(`/v1/echoes/${'x'.repeat(64)}`), 'not_found');
  t.match(problem.errors, [{ pointer: '/host', in: 'path' }]);
});
