/** Callbacks of labs, with the bodies and the credentials that labs send. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import {
  ObservationPageSchema,
  ObservationSchema,
  ObservedRecordPageSchema,
} from '../../schemas/observation.js';
import { DEFAULT_CONFIG } from '../../src/config/configuration.js';
import { bodyOf, build, problemOf } from '../helper.js';
import { capture } from '../observations/captures.js';

const TOKEN = 'a-token-of-the-lab';
const entry = (name: string, scope: 'read' | 'write', token: string) => ({
  name,
  scope,
  sha256: createHash('sha256').update(token).digest('hex'),
});
const tokens = [entry('lab', 'write', TOKEN), entry('reader', 'read', 'only-reads')];
const app = await build(t, {
  config: { ...DEFAULT_CONFIG, checkpointMegabytes: 0, role: 'api', tokens, rateLimit: 0 },
});

const JSON_TYPE = 'application/json';
const BEARER = { authorization: `Bearer ${TOKEN}` };

function post(lab: string, payload: string | Buffer, headers: Record<string, string> = {}) {
  return app.inject({
    method: 'POST',
    url: `/v1/callbacks/${lab}`,
    headers: { 'content-type': JSON_TYPE, ...BEARER, ...headers },
    payload,
  });
}

const get = (url: string, wait = 0) =>
  app.inject({ url, headers: { ...BEARER, ...(wait > 0 && { prefer: `wait=${wait}` }) } });

async function stored(t: Test): Promise<number> {
  const page = bodyOf(t, await get('/v1/observations?limit=1000'), ObservationPageSchema);
  return page.items.length;
}

t.test("LAVA's callback is stored once for its job and state", async (t) => {
  const text = capture('lava-callback-results.json');
  const answer = await post('lava?pool=lab-a', text);
  const first = bodyOf(t, answer, ObservationSchema, 202);
  t.match(first, {
    state: 'done',
    format: 'lava-callback',
    machine: 'host-17',
    pool: 'lab-a',
    class: 'code',
    test_counts: { pass: 0, fail: 1, skip: 0, error: 0 },
    tests: [{ name: 'pebs-stuck/cpu3', result: 'fail' }],
  });
  t.equal(answer.headers.location, `/v1/observations/${first.id}`);
  const before = await stored(t);
  for (const again of [text, text.replace('"priority": 50', '"priority": 51')]) {
    const repeated = await post('lava?pool=lab-a', again);
    t.equal(bodyOf(t, repeated, ObservationSchema, 202).id, first.id);
    t.equal(repeated.headers['idempotent-replayed'], 'true');
  }
  t.equal(await stored(t), before);
  const running = text.replace('"status_string": "complete"', '"status_string": "running"');
  t.not(bodyOf(t, await post('lava', running), ObservationSchema, 202).id, first.id);
  t.equal((await get(`/v1/observations/${first.id}/raw`)).body, text, 'as it came');
  const url = `/v1/observations/${first.id}/records`;
  const records = bodyOf(t, await get(`${url}?limit=1`), ObservedRecordPageSchema);
  t.match(records, { items: [{ kind: 'job', name: '17574685' }], has_more: true });
  const next = await get(`${url}?limit=5&cursor=${records.next_cursor}`);
  t.match(next.json(), { items: [{ kind: 'test', line: 0, result: 'fail' }], has_more: false });
});

t.test('as a form it has no results, so nothing of it passes', async (t) => {
  const form =
    'id=7&status=2&status_string=complete&health_string=Complete&results=lava&results=0_s';
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = bodyOf(t, await post('lava', form, type), ObservationSchema, 202);
  t.match(answer, { class: 'harness', tests: [{ name: 's', result: 'unknown', text: /json/ }] });
  problemOf(t, await post('lava', 'status=2', type), 'unreadable_text');
});

t.test('PULL_LABS: by job, by node, and by its body', async (t) => {
  const text = capture('pull-labs-callback-gz-log.json');
  const first = bodyOf(t, await post('pull-labs', text), ObservationSchema, 202);
  t.match(first, {
    machine: 'host-17',
    class: 'code',
    cpus: [{ cpu: 3 }, { cpu: 4 }],
    records: 4,
  });
  t.equal((await post('pull-labs', text)).json().id, first.id, 'the same body');
  t.equal((await post('pull-labs', gzipSync(text))).json().id, first.id, 'packed');
  const named = (await post('pull-labs?job=node-1', text)).json().id;
  t.not(named, first.id);
  const other = text.replace('"total": 1', '"total": 2');
  t.equal((await post('pull-labs?job=node-1', other)).json().id, named);
  const infra = await post('pull-labs', capture('pull-labs-callback-infra.json'));
  t.match(infra.json(), { class: 'harness', verdict: 'none', machine: 'host-18' });
});

t.test('the token comes as labs send it', async (t) => {
  const body = JSON.stringify({ tests: { a: { status: 'pass' } }, metadata: {} });
  for (const [headers, status] of [
    [{ authorization: TOKEN }, 202],
    [{ authorization: `Token ${TOKEN}` }, 202],
    [{ authorization: `bearer ${TOKEN}` }, 202],
    [{ 'x-auth-token': TOKEN }, 202],
    [{ authorization: 'wrong' }, 401],
    [{ authorization: `Basic ${TOKEN}` }, 401],
    [{ authorization: 'only-reads' }, 403],
    [{}, 401],
  ] as const) {
    for (const lab of ['pull-labs', 'lava']) {
      const answer = await app.inject({
        method: 'POST',
        url: `/v1/callbacks/${lab}`,
        headers: { 'content-type': JSON_TYPE, ...headers },
        payload: lab === 'lava' ? '{"id":9,"status":2}' : body,
      });
      t.equal(answer.statusCode, status, `${lab} ${JSON.stringify(headers)}`);
    }
  }
  const bare = await app.inject({ url: '/v1/whoami', headers: { authorization: TOKEN } });
  t.equal(bare.statusCode, 401, 'elsewhere it says that it is one');
});

t.test('what cannot be read is refused, naming the field, and nothing is stored', async (t) => {
  const before = await stored(t);
  const lava = (more: object) => JSON.stringify({ id: 99, status_string: 'complete', ...more });
  const bomb = gzipSync(Buffer.alloc(33 * 2 ** 20)).toString('base64');
  for (const [lab, body, pointer] of [
    ['lava', lava({ id: 'x' }), '/id'],
    ['lava', lava({ status_string: '' }), '/status_string'],
    ['lava', lava({ results: 7 }), '/results'],
    ['lava', lava({ results: { s: '- [' } }), '/results/s'],
    ['lava', lava({ results: { s: `${'['.repeat(5000)}\n` } }), '/results/s'],
    ['pull-labs', '{"tests":[]}', '/tests'],
    ['pull-labs', '{"tests":{},"artifacts":7}', '/artifacts'],
    ['pull-labs', '{}', '/tests'],
    ['pull-labs', `{"tests":{},"artifacts":{"log":"base64:${bomb}"}}`, '/artifacts/log'],
  ] as const) {
    const refused = problemOf(t, await post(lab, body), 'unreadable_text');
    t.match(refused, { errors: [{ pointer }] }, body.slice(0, 80));
  }
  for (const body of ['', '{', '[]', 'null', '{"tests":{}} x']) {
    problemOf(t, await post('pull-labs', body), 'unreadable_text');
  }
  const large = `{"tests":{}}${' '.repeat(16 * 2 ** 20)}`;
  problemOf(t, await post('pull-labs', large), 'body_too_large');
  problemOf(t, await post('pull-labs', gzipSync(large)), 'body_too_large');
  problemOf(
    t,
    await post('lava', '<a/>', { 'content-type': 'text/xml' }),
    'unsupported_media_type',
  );
  problemOf(t, await post('lava?jobs=1', lava({})), 'validation');
  t.equal(await stored(t), before);
});

t.test('what takes long to read is answered all the same', async (t) => {
  const row = '- {name: c, job: 1, suite: 0_s, result: pass, metadata: {case: c, result: pass}}\n';
  const body = JSON.stringify({
    id: 1234,
    status_string: 'complete',
    health_string: 'Complete',
    results: { '0_s': row.repeat(8000) },
  });
  const began = performance.now();
  const { id, state } = bodyOf(t, await post('lava', body), ObservationSchema, 202);
  const millis = performance.now() - began;
  t.ok(millis < 5000, `after ${Math.round(millis)} ms, ${state}`);
  const read = bodyOf(t, await get(`/v1/observations/${id}`, 30), ObservationSchema);
  t.match(read, { state: 'done', test_counts: { pass: 8000 } });
});
