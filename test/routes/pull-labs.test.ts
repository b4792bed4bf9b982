/** The polling surface of PULL_LABS, asked as KernelCI's pollers ask Maestro. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { ObservationSchema } from '../../schemas/observation.js';
import { RunPageSchema } from '../../schemas/pool-job.js';
import {
  PullLabsEventsSchema,
  PullLabsJobSchema,
  PullLabsNodeSchema,
  PullLabsUserSchema,
} from '../../schemas/pull-labs.js';
import { bodyOf, problemOf } from '../helper.js';
import { emptyDatabase, meddler, startInstance } from '../instances.js';

const hash = (token: string) => createHash('sha256').update(token).digest('hex');
const ADMIN = 'aaaa-0123456789abcdef';
const LAB = 'lab-a-0123456789abcdef';
const url = await emptyDatabase(t);
const { app } = await startInstance(t, url, {
  role: 'api',
  tokens: [
    { name: 'admin', scope: 'admin', sha256: hash(ADMIN) },
    { name: 'lab', scope: 'pool', pools: ['lab-a'], sha256: hash(LAB) },
  ],
});
const sql = await meddler(t, url);

function ask(method: 'GET' | 'PUT' | 'POST', path: string, payload?: object, token = LAB) {
  const headers = { authorization: `Bearer ${token}`, host: 'pebslab.example' };
  return app.inject({ method, url: path, headers, ...(payload === undefined ? {} : { payload }) });
}

/** As the poller of AWS and Collabora asks; the example of KernelCI wants those that are done. */
async function poll(t: Test, from = '1970-01-01T00:00:00.000000', state = 'available') {
  const query = `state=${state}&kind=job&recursive=true&limit=1000&from=${from}`;
  return bodyOf(t, await ask('GET', `/latest/events?${query}`), PullLabsEventsSchema);
}

/** What has just become available is listed a second later. */
const settle = () => sql.query(`update pool_runs set queued_at = queued_at - interval '2 seconds'`);

for (const pool of ['lab-a', 'lab-b']) await ask('PUT', `/v1/pools/${pool}`, {}, ADMIN);
const newJob = async (pool: string, copies: number) => {
  const run = { script: 'uname -a\n' };
  const requires = { labels: ['kvm'], machine: 'host-17' };
  const made = await ask('POST', '/v1/pool-jobs', { pool, run, requires, copies }, ADMIN);
  return made.json().id as string;
};
const job = await newJob('lab-a', 3);
await newJob('lab-b', 1);

t.test('a token is a user who may edit the nodes of its pools', async (t) => {
  t.strictSame(bodyOf(t, await ask('GET', '/latest/whoami'), PullLabsUserSchema), {
    username: 'lab',
    is_superuser: false,
    groups: [{ name: 'runtime:lab-a:node-editor' }],
  });
  const admin = await ask('GET', '/latest/whoami', undefined, ADMIN);
  t.match(bodyOf(t, admin, PullLabsUserSchema), { username: 'admin', is_superuser: true });
});

t.test('what is available is listed once, whichever state is asked for', async (t) => {
  t.strictSame(await poll(t), [], 'it settles first');
  await settle();
  const events = await poll(t);
  t.equal(events.length, 3, 'and nothing of another pool');
  t.strictSame(await poll(t, undefined, 'done'), events);
  t.equal(new Set(events.map(({ timestamp }) => timestamp)).size, 3, 'each has a time of its own');
  t.match(events[0], {
    channel: 'node',
    data: { kind: 'job', state: 'available', data: { platform: 'host-17', runtime: 'lab-a' } },
    node: { state: 'available', result: null, data: { runtime: 'lab-a', job_id: null } },
  });
  t.notMatch(events[0]?.timestamp, /[Z+]/, 'without a zone, as Maestro has it');
  const later = await poll(t, events[1]?.timestamp);
  t.strictSame(later, events.slice(2), 'strictly greater');
  t.strictSame(await poll(t, events[2]?.timestamp), []);
  const other = await ask('GET', '/latest/events?kind=checkout');
  t.strictSame(other.json(), []);
  for (const from of [
    'yesterday',
    '2026-99-99T99:99:99',
    '2026-02-30T00:00:00',
    '0000-01-01T00:00:00',
  ]) {
    const refused = await ask('GET', `/latest/events?from=${from}`);
    const { errors } = problemOf(t, refused, 'validation');
    t.match(errors, [{ pointer: '/from', in: 'query' }], from);
  }
});

t.test('a node is claimed once, carried out and done', async (t) => {
  const [event, second, third] = await poll(t);
  const id = event?.node.id ?? '';
  const { pathname, host } = new URL(event?.node.artifacts.job_definition ?? '');
  t.equal(host, 'pebslab.example');
  const definition = bodyOf(t, await ask('GET', pathname), PullLabsJobSchema);
  t.match(definition, {
    tests: [{ id, type: 'script', timeout_s: 3600 }],
    environment: { platform: 'host-17', requirements: ['kvm'] },
    parameters: { script: 'uname -a\n' },
  });
  // The poller sends the whole node back with another state.
  const read = bodyOf(t, await ask('GET', `/latest/node/${id}`), PullLabsNodeSchema);
  const claim = { ...read, state: 'running' };
  const claimed = bodyOf(t, await ask('PUT', `/latest/node/${id}`, claim), PullLabsNodeSchema);
  t.match(claimed, { state: 'running', data: { job_id: String } });
  problemOf(t, await ask('PUT', `/latest/node/${id}`, claim), 'conflict');
  const byName = { data: { job_id: 'mine' } };
  t.equal((await ask('PUT', `/latest/node/${second?.node.id}`, byName)).statusCode, 200);
  problemOf(t, await ask('PUT', `/latest/node/${second?.node.id}`, byName), 'conflict');
  t.strictSame(
    (await poll(t)).map(({ node }) => node.id),
    [third?.node.id],
  );

  const unsaid = await ask('PUT', `/latest/node/${id}`, { ...claimed, state: 'done' });
  t.equal(problemOf(t, unsaid, 'rule_violated').errors[0]?.pointer, '/result');
  const done = { ...claimed, state: 'done', result: 'fail' };
  const ended = bodyOf(t, await ask('PUT', `/latest/node/${id}`, done), PullLabsNodeSchema);
  t.match(ended, { state: 'done', result: 'fail' });
  t.strictSame((await ask('PUT', `/latest/node/${id}`, done)).json(), ended, 'the same again');
  const unclaimed = await ask('PUT', `/latest/node/${third?.node.id}`, done);
  problemOf(t, unclaimed, 'conflict');

  const lab = { state: 'done', result: 'pass', data: { error_code: 'Infrastructure' } };
  const back = await ask('PUT', `/latest/node/${second?.node.id}`, lab);
  t.match(bodyOf(t, back, PullLabsNodeSchema), { state: 'available', result: null });
  await sql.query(`update pool_runs set queued_at = queued_at - interval '1.5 seconds'`);
  const again = await poll(t, third?.timestamp);
  t.strictSame(
    again.map(({ node }) => node.id),
    [second?.node.id],
    'listed again',
  );
  const runs = await ask('GET', `/v1/pool-jobs/${job}/runs`, undefined, ADMIN);
  const { items } = bodyOf(t, runs, RunPageSchema);
  const attempts = items.map(({ verdict, attempts }) => [
    verdict,
    attempts.map(({ result }) => result),
  ]);
  t.strictSame(attempts, [
    ['fail', ['fail']],
    [null, ['error']],
    [null, []],
  ]);
});

/** A node of its own for a test. */
async function newNode(t: Test): Promise<string> {
  const id = await newJob('lab-a', 1);
  const runs = await ask('GET', `/v1/pool-jobs/${id}/runs`, undefined, ADMIN);
  return bodyOf(t, runs, RunPageSchema).items[0]?.id ?? '';
}

async function nodeOf(t: Test, id: string) {
  return bodyOf(t, await ask('GET', `/latest/node/${id}`), PullLabsNodeSchema);
}

t.test('a node is lent as others are: not by a draining pool, and to one at a time', async (t) => {
  const id = await newNode(t);
  const path = `/latest/node/${id}`;
  await ask('PUT', '/v1/pools/lab-a', { draining: true }, ADMIN);
  problemOf(t, await ask('PUT', path, { state: 'running' }), 'conflict');
  await ask('PUT', '/v1/pools/lab-a', {}, ADMIN);
  // A machine that has the name under which nodes are claimed.
  await sql.query(`update pool_jobs set requires = '{}' where pool = 'lab-a'`);
  const machine = id.replace('run_', 'pull-labs.');
  const lent = (await ask('POST', '/v1/pools/lab-a/leases', { machine })).json();
  t.not(lent.run.id, id);
  problemOf(t, await ask('PUT', path, { state: 'running' }), 'conflict');
  const theirs = await ask('PUT', `/latest/node/${lent.run.id}`, { state: 'done', result: 'pass' });
  t.match(problemOf(t, theirs, 'conflict').detail, /holds it/, 'without its fencing token');
  const { id: lease, fencing_token } = lent.lease;
  const report = { fencing_token, result: 'skip' };
  t.equal((await ask('POST', `/v1/leases/${lease}/complete`, report)).json().counts, true);
});

t.test('what a lab posts to the address in its job ends its claim', async (t) => {
  const ids = [await newNode(t), await newNode(t)];
  const claim = async (id: string) => {
    t.equal((await ask('PUT', `/latest/node/${id}`, { data: { job_id: 'mine' } })).statusCode, 200);
  };
  const address = async (id: string) => {
    const job = await ask('GET', `/latest/job-definition/${id}`);
    const { pathname, search } = new URL(bodyOf(t, job, PullLabsJobSchema).callback.url);
    return pathname + search;
  };
  const tests = (status: string) => ({
    metadata: { system: 'host-17' },
    tests: { 'pebs-stuck': { status } },
  });
  const broken = { metadata: { system: 'host-17', error_code: 'Infrastructure' }, tests: {} };
  const post = async (url: string, body: object) =>
    bodyOf(t, await ask('POST', url, body), ObservationSchema, 202);

  const [id = '', other = ''] = ids;
  const early = await address(id);
  for (const one of ids) await claim(one);
  t.equal(await address(id), early, 'it is for the attempt to come, or that is under way');
  await post(early, broken);
  t.match(await nodeOf(t, id), { state: 'available', result: null }, 'the lab may fail');
  await claim(id);
  await post(early, broken);
  t.match(await nodeOf(t, id), { state: 'running' }, 'sent twice, it is of the first attempt');
  const sent = await post(await address(id), tests('pass'));
  t.match(sent, { machine: 'host-17', pool: 'lab-a' }, 'the lab knows its machines');
  t.match(await nodeOf(t, id), { state: 'done', result: 'pass' });
  await post(await address(other), tests('fail'));
  t.match(await nodeOf(t, other), { state: 'done', result: 'fail' });

  const next = await newNode(t);
  await claim(next);
  const same = await post(await address(next), tests('pass'));
  t.not(same.id, sent.id, 'the same body for another run is another report');
  t.match(await nodeOf(t, next), { state: 'done', result: 'pass' });
  const homeless = await ask('POST', '/v1/callbacks/pull-labs?fencing_token=1', tests('pass'));
  problemOf(t, homeless, 'forbidden');
  const unled = '/v1/callbacks/pull-labs?fencing_token=1';
  const refused = await ask('POST', unled, tests('pass'), ADMIN);
  t.match(problemOf(t, refused, 'rule_violated').errors, [{ pointer: '/fencing_token' }]);

  const slow = await newNode(t);
  await claim(slow);
  const lava = (await address(slow)).replace('pull-labs?', 'lava?');
  const state = (status_string: string) => ({
    id: 7,
    status_string,
    results: { '0_pebs-stuck': '- {name: cpu3, suite: 0_pebs-stuck, result: pass}\n' },
  });
  await post(lava, state('running'));
  t.match(await nodeOf(t, slow), { state: 'running' }, 'not yet the end');
  await post(lava, state('complete'));
  t.match(await nodeOf(t, slow), { state: 'done', result: 'pass' });
});

t.test('nodes of other pools are not there', async (t) => {
  const { rows } = await sql.query(`select id from pool_runs where pool = 'lab-b'`);
  const path = `/latest/node/${rows[0].id}`;
  problemOf(t, await ask('GET', path), 'not_found');
  problemOf(t, await ask('PUT', path, { state: 'running' }), 'not_found');
  problemOf(t, await ask('GET', `/latest/job-definition/${rows[0].id}`), 'not_found');
  t.equal((await ask('GET', path, undefined, ADMIN)).statusCode, 200);
});
