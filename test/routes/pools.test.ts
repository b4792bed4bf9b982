/** Pools, machines, pool jobs and leases, as their users and machines see them. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InjectOptions } from 'fastify';
import t, { type Test } from 'tap';
import {
  BeatSchema,
  CompletionSchema,
  LeaseSchema,
  LentSchema,
  ResetSchema,
} from '../../schemas/lease.js';
import { ObservationSchema } from '../../schemas/observation.js';
import {
  MachinePageSchema,
  MachineSchema,
  PoolPageSchema,
  PoolSchema,
  PoolSummarySchema,
} from '../../schemas/pool.js';
import { PoolJobPageSchema, PoolJobSchema, RunPageSchema } from '../../schemas/pool-job.js';
import { WhoAmISchema } from '../../schemas/whoami.js';
import { bodyOf, problemOf } from '../helper.js';
import { emptyDatabase, eventually, meddler, startInstance } from '../instances.js';

const hash = (token: string) => createHash('sha256').update(token).digest('hex');
const ADMIN = 'aaaa-0123456789abcdef';
const LAB_A = 'lab-a-0123456789abcdef';
const LAB_B = 'lab-b-0123456789abcdef';

const url = await emptyDatabase(t);
const { app, close } = await startInstance(t, url, {
  role: 'api',
  tokens: [
    { name: 'admin', scope: 'admin', sha256: hash(ADMIN) },
    { name: 'a', scope: 'pool', pools: ['lab-a', 'lab-c'], sha256: hash(LAB_A) },
    { name: 'b', scope: 'pool', pools: ['lab-b'], sha256: hash(LAB_B) },
  ],
});
const sql = await meddler(t, url);

type Method = NonNullable<InjectOptions['method']>;

function ask(method: Method, path: string, payload?: object | string, headers = {}, token = ADMIN) {
  const authorization = `Bearer ${token}`;
  return app.inject({
    method,
    url: `/v1/${path}`,
    headers: { authorization, ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
}

const EMERALD = { family: 6, model: '0xcf', stepping: 2, microcode: '0x21000240' };
const SCRIPT = { script: 'uname -a\n' };

let pools = 0;

/** A pool of its own for a test. */
async function newPool(t: Test, request: object = {}): Promise<string> {
  pools += 1;
  const name = `pool-${pools}`;
  bodyOf(t, await ask('PUT', `pools/${name}`, request), PoolSummarySchema, 201);
  return name;
}

async function newJob(t: Test, pool: string, more: object = {}) {
  const response = await ask('POST', 'pool-jobs', { pool, run: SCRIPT, ...more });
  return bodyOf(t, response, PoolJobSchema, 202);
}

async function claim(t: Test, pool: string, machine = 'host-17', more: object = {}) {
  const response = await ask('POST', `pools/${pool}/leases`, { machine, ...more });
  return bodyOf(t, response, LentSchema, 201);
}

function complete(lease: { id: string; fencing_token: number }, result: string, more: object = {}) {
  const { id, fencing_token } = lease;
  return ask('POST', `leases/${id}/complete`, { fencing_token, result, ...more });
}

function beat({ id, fencing_token }: { id: string; fencing_token: number }) {
  return ask('PUT', `leases/${id}/heartbeat`, { fencing_token });
}

/** Nobody has renewed it in time. */
async function letExpire({ id }: { id: string }): Promise<void> {
  const run = id.replace('lease_', 'run_');
  await sql.query(`update pool_runs set expires_at = now() - interval '1 second' where id = $1`, [
    run,
  ]);
}

async function theRun(t: Test, job: { id: string }) {
  const { items } = bodyOf(t, await ask('GET', `pool-jobs/${job.id}/runs`), RunPageSchema);
  return items[0] as (typeof items)[number];
}

t.test('pools', async (t) => {
  const made = await ask('PUT', 'pools/lab-x', { title: 'Lab X' }, { 'if-none-match': '*' });
  t.match(bodyOf(t, made, PoolSummarySchema, 201), {
    name: 'lab-x',
    title: 'Lab X',
    lease_seconds: 300,
    beat_seconds: 60,
    draining: false,
  });
  t.equal(made.headers.location, '/v1/pools/lab-x');
  problemOf(
    t,
    await ask('PUT', 'pools/lab-x', {}, { 'if-none-match': '*' }),
    'precondition_failed',
  );
  const changed = await ask('PUT', 'pools/lab-x', { lease_seconds: 100, draining: true });
  const item = bodyOf(t, changed, PoolSummarySchema);
  t.match(item, { lease_seconds: 100, beat_seconds: 20, draining: true });
  t.notOk('title' in item, 'what is left out has its default');
  const list = bodyOf(t, await ask('GET', 'pools'), PoolPageSchema);
  t.strictSame(list.items, [item]);
  for (const [body, pointer] of [
    [{ lease_seconds: 9 }, '/lease_seconds'],
    [{ lease_seconds: 3601 }, '/lease_seconds'],
    [{ drain: true }, '/drain'],
    [{ title: '' }, '/title'],
    [{ title: 'a\0b' }, '/title'],
    [{ title: '\ud800' }, '/title'],
  ] as const) {
    const { errors } = problemOf(t, await ask('PUT', 'pools/lab-x', body), 'validation');
    t.equal(errors[0]?.pointer, pointer);
  }
  problemOf(t, await ask('PUT', 'pools/lab%20x', {}), 'not_found');
  t.strictSame(bodyOf(t, await ask('GET', 'pools'), PoolPageSchema).items, [item], 'unchanged');
  t.equal((await ask('DELETE', 'pools/lab-x')).statusCode, 204);
  problemOf(t, await ask('DELETE', 'pools/lab-x'), 'not_found');
  problemOf(t, await ask('GET', 'pools/lab-x'), 'not_found');
});

t.test('machines', async (t) => {
  const pool = await newPool(t);
  const path = `pools/${pool}/machines/host-17`;
  const said = { ...EMERALD, kernel: '6.12.90', labels: ['kvm'] };
  const made = await ask('PUT', path, said, { 'if-none-match': '*' });
  const machine = bodyOf(t, made, MachineSchema, 201);
  t.match(machine, {
    pool,
    name: 'host-17',
    labels: ['kvm'],
    facts: { cpu_family: '6', cpu_model: '207', kernel_release: '6.12.90' },
    identity: { cpu_model: 'emerald-rapids', platform_class: 'K3', predicted_path: 'autoload' },
  });
  t.strictSame(bodyOf(t, await ask('GET', path), MachineSchema), machine);
  problemOf(t, await ask('PUT', path, said, { 'if-none-match': '*' }), 'precondition_failed');
  const changed = bodyOf(t, await ask('PUT', path, { kernel: '6.12.112' }), MachineSchema);
  t.match(changed, { labels: [], facts: { kernel_release: '6.12.112' } });
  t.notOk('cpu_family' in changed.facts, 'in place of what was said before');
  problemOf(t, await ask('PUT', 'pools/none/machines/x', {}), 'not_found');
  const { errors } = problemOf(t, await ask('PUT', path, { labels: ['a', 'a'] }), 'validation');
  t.equal(errors[0]?.pointer, '/labels');
  problemOf(
    t,
    await ask('PUT', path, { labels: Array.from({ length: 33 }, (_, n) => `l${n}`) }),
    'validation',
  );
  const list = bodyOf(t, await ask('GET', `pools/${pool}/machines`), MachinePageSchema);
  t.strictSame(list.items, [changed]);
  t.equal((await ask('DELETE', path)).statusCode, 204);
  problemOf(t, await ask('GET', path), 'not_found');
  await sql.query(
    `insert into pool_machines (pool, name) select $1, 'm' || n from generate_series(1, 1000) n`,
    [pool],
  );
  problemOf(t, await ask('PUT', path, {}), 'limit_reached');
  problemOf(t, await ask('POST', `pools/${pool}/leases`, { machine: 'one-more' }), 'limit_reached');
  t.equal((await ask('PUT', `pools/${pool}/machines/m7`, {})).statusCode, 200);
});

t.test('a job says what it wants, or is refused', async (t) => {
  const pool = await newPool(t);
  const job = await newJob(t, pool, { copies: 3, priority: 7, requires: { labels: ['kvm'] } });
  t.match(job, {
    pool,
    copies: 3,
    priority: 7,
    timeout_seconds: 3600,
    state: 'queued',
    verdict: null,
    runs: { queued: 3, leased: 0, pass: 0 },
  });
  t.strictSame(bodyOf(t, await ask('GET', `pool-jobs/${job.id}`), PoolJobSchema), job);
  const { items } = bodyOf(t, await ask('GET', `pool-jobs?pool=${pool}`), PoolJobPageSchema);
  t.strictSame(items, [job]);
  t.strictSame(bodyOf(t, await ask('GET', 'pool-jobs?pool=none'), PoolJobPageSchema).items, []);
  for (const [body, code, pointer] of [
    [{ pool, run: {} }, 'rule_violated', '/run'],
    [{ pool, run: { ...SCRIPT, scenario: 'x' } }, 'rule_violated', '/run'],
    [{ pool, run: { scenario: 'matrix-linux-7.2.6-k3-lat' } }, 'unknown_name', '/run/scenario'],
    [{ pool, run: { ...SCRIPT, kernel: 'linux-9' } }, 'unknown_name', '/run/kernel'],
    [{ pool: 'none', run: SCRIPT }, 'unknown_name', '/pool'],
    [{ pool, run: SCRIPT, requires: { cpu_model: 'ruby' } }, 'unknown_name', '/requires/cpu_model'],
    [
      { pool, run: { counterexample: { exploration: 'exp_1', counterexample: 'I1-0' } } },
      'unknown_name',
      '/run/counterexample/exploration',
    ],
    [{ pool, run: SCRIPT, copies: 1001 }, 'validation', '/copies'],
    [{ pool, run: SCRIPT, copies: 0 }, 'validation', '/copies'],
    [{ pool, run: SCRIPT, priority: 101 }, 'validation', '/priority'],
    [{ pool, run: SCRIPT, timeout_seconds: 9 }, 'validation', '/timeout_seconds'],
    [{ pool, run: SCRIPT, requires: { class: 'K3' } }, 'validation', '/requires/class'],
    [{ pool, run: { script: 'x'.repeat(65_537) } }, 'validation', '/run/script'],
    [{ pool, run: { script: 'a\0b' } }, 'validation', '/run/script'],
    [{ pool, run: { script: '\ud800' } }, 'validation', '/run/script'],
    [{ run: SCRIPT }, 'validation', '/pool'],
  ] as const) {
    const { errors } = problemOf(t, await ask('POST', 'pool-jobs', body), code);
    t.equal(errors[0]?.pointer, pointer);
  }
  t.strictSame(
    bodyOf(t, await ask('GET', `pool-jobs?pool=${pool}`), PoolJobPageSchema).items,
    [job],
    'nothing was added',
  );
  await sql.query(
    `insert into pool_jobs (id, pool, requires, run, copies, timeout_seconds, priority, unfinished)
     select 'job_full' || n, $1, '{}', '{}', 1, 60, 0, 100 from generate_series(1, 999) n`,
    [pool],
  );
  const { detail } = problemOf(
    t,
    await ask('POST', 'pool-jobs', { pool, run: SCRIPT }),
    'too_many_requests',
  );
  t.match(detail, /1000 and 100000/);
});

t.test('a run is lent, renewed and completed', async (t) => {
  const pool = await newPool(t);
  const empty = await ask('POST', `pools/${pool}/leases`, { machine: 'host-17' });
  t.equal(empty.statusCode, 204);
  t.ok(Number(empty.headers['retry-after']) > 0);
  const job = await newJob(t, pool, { copies: 2 });
  const { lease, run, ...lent } = await claim(t, pool);
  t.match(lent.job, { id: job.id, run: SCRIPT, timeout_seconds: 3600 });
  t.match(lease, { fencing_token: 1, machine: 'host-17', state: 'held', beat_seconds: 60 });
  t.ok(lease.expires_in_seconds > 299 && lease.expires_in_seconds <= 300);
  t.match(run, { copy: 1, attempt: 1 });
  t.match(bodyOf(t, await ask('GET', `leases/${lease.id}`), LeaseSchema), {
    ...lease,
    expires_in_seconds: Number,
  });
  const again = await ask('POST', `pools/${pool}/leases`, { machine: 'host-17' });
  t.match(problemOf(t, again, 'conflict').detail, new RegExp(`holds ${lease.id}`));
  const other = await claim(t, pool, 'host-18');
  t.equal(other.run.copy, 2);
  t.match(bodyOf(t, await beat(lease), BeatSchema), { action: 'continue', beat_seconds: 60 });
  const stale = await beat({ ...lease, fencing_token: 2 });
  t.equal(problemOf(t, stale, 'conflict').errors[0]?.pointer, '/fencing_token');
  const { errors } = problemOf(t, await complete(lease, 'passed'), 'validation');
  t.equal(errors[0]?.pointer, '/result');
  problemOf(t, await complete({ ...lease, fencing_token: 2 }, 'pass'), 'conflict');
  problemOf(t, await complete({ id: 'lease_0', fencing_token: 1 }, 'pass'), 'not_found');
  problemOf(t, await beat({ id: 'lease_0', fencing_token: 1 }), 'not_found');
  const done = bodyOf(t, await complete(lease, 'pass'), CompletionSchema);
  t.match(done, { id: lease.id, run: run.id, state: 'completed', result: 'pass', counts: true });
  t.strictSame(bodyOf(t, await complete(lease, 'pass'), CompletionSchema), done, 'the same again');
  problemOf(t, await complete(lease, 'fail'), 'conflict');
  problemOf(t, await beat(lease), 'lease_expired');
  const waiting = ask('GET', `pool-jobs/${job.id}`, undefined, { prefer: 'wait=20' });
  await complete(other.lease, 'fail');
  const ended = bodyOf(t, await waiting, PoolJobSchema);
  t.match(ended, { state: 'succeeded', verdict: 'fail', runs: { pass: 1, fail: 1, queued: 0 } });
  t.ok(ended.finished_at);
  t.equal((await ask('POST', `pools/${pool}/leases`, { machine: 'host-17' })).statusCode, 204);
});

t.test('the lab may fail three times, the code once', async (t) => {
  const pool = await newPool(t);
  const job = await newJob(t, pool);
  for (const token of [1, 2, 3]) {
    const { lease } = await claim(t, pool, `host-${token}`);
    t.equal(lease.fencing_token, token);
    const error = await complete(lease, 'error', { error_code: `no_boot_${token}` });
    t.match(bodyOf(t, error, CompletionSchema), { error_code: `no_boot_${token}`, counts: true });
  }
  t.equal((await ask('POST', `pools/${pool}/leases`, { machine: 'host-1' })).statusCode, 204);
  const run = await theRun(t, job);
  t.match(run, { state: 'finished', verdict: 'error', error_code: 'no_boot_3' });
  t.strictSame(
    run.attempts.map(({ state, result, error_code }) => [state, result, error_code]),
    [1, 2, 3].map((n) => ['completed', 'error', `no_boot_${n}`]),
  );
  const next = await newJob(t, pool);
  await complete((await claim(t, pool)).lease, 'fail');
  t.match(await theRun(t, next), { state: 'finished', verdict: 'fail' });
  t.equal((await ask('POST', `pools/${pool}/leases`, { machine: 'host-17' })).statusCode, 204);
});

t.test('a lease that is not renewed is over, and a late report is kept', async (t) => {
  const pool = await newPool(t);
  const job = await newJob(t, pool);
  const { lease } = await claim(t, pool);
  await letExpire(lease);
  problemOf(t, await beat(lease), 'lease_expired');
  const { lease: second } = await claim(t, pool, 'host-18');
  t.match(second, { id: lease.id, fencing_token: 2, machine: 'host-18' });
  problemOf(t, await beat(lease), 'conflict');
  const late = bodyOf(t, await complete(lease, 'fail'), CompletionSchema);
  t.match(late, { state: 'expired', result: 'fail', counts: false });
  t.strictSame(bodyOf(t, await complete(lease, 'fail'), CompletionSchema), late, 'the same again');
  problemOf(t, await complete(lease, 'pass'), 'conflict');
  t.match(await theRun(t, job), { state: 'leased', verdict: null });
  t.equal((await beat(second)).statusCode, 200, 'the holder goes on');
  await complete(second, 'pass');
  const run = await theRun(t, job);
  t.match(run, { state: 'finished', verdict: 'pass', result: 'pass' });
  t.match(run.attempts, [
    { fencing_token: 1, machine: 'host-17', state: 'expired', result: 'fail' },
    { fencing_token: 2, machine: 'host-18', state: 'completed', result: 'pass' },
  ]);

  // Over, and nobody has noticed: the report itself is what is noticed.
  const unseen = await newJob(t, pool);
  const { lease: over } = await claim(t, pool);
  await letExpire(over);
  t.match(bodyOf(t, await complete(over, 'pass'), CompletionSchema), {
    state: 'expired',
    counts: false,
  });
  t.match(await theRun(t, unseen), { state: 'queued', attempts: [{ result: 'pass' }] });
  await letExpire((await claim(t, pool)).lease);
  await letExpire((await claim(t, pool)).lease);
  t.equal((await ask('POST', `pools/${pool}/leases`, { machine: 'host-17' })).statusCode, 204);
  t.match(await theRun(t, unseen), { state: 'finished', verdict: 'error' }, 'after three attempts');
});

t.test('a machine that begins afresh holds nothing', async (t) => {
  const pool = await newPool(t);
  const job = await newJob(t, pool);
  const { lease } = await claim(t, pool);
  const path = `pools/${pool}/machines/host-17/reset`;
  const reset = bodyOf(t, await ask('POST', path), ResetSchema);
  t.strictSame(reset, { machine: 'host-17', ended: [lease.id] });
  t.strictSame(bodyOf(t, await ask('POST', path), ResetSchema).ended, [], 'once');
  problemOf(t, await ask('POST', `pools/${pool}/machines/none/reset`), 'not_found');
  problemOf(t, await beat(lease), 'lease_expired');
  const { lease: second } = await claim(t, pool);
  t.equal(second.fencing_token, 2);
  t.equal((await ask('DELETE', `pools/${pool}/machines/host-17`)).statusCode, 204);
  t.match(await theRun(t, job), {
    state: 'queued',
    attempts: [{ state: 'reset' }, { state: 'reset' }],
  });
});

t.test('cancelling and draining', async (t) => {
  const pool = await newPool(t);
  const job = await newJob(t, pool, { copies: 3 });
  const { lease } = await claim(t, pool, 'host-1');
  const { lease: second } = await claim(t, pool, 'host-2');
  await ask('PUT', `pools/${pool}`, { draining: true });
  t.equal(bodyOf(t, await beat(lease), BeatSchema).action, 'drain');
  t.equal((await ask('POST', `pools/${pool}/leases`, { machine: 'host-3' })).statusCode, 204);
  const cancelled = bodyOf(t, await ask('POST', `pool-jobs/${job.id}/cancel`), PoolJobSchema);
  t.match(cancelled, {
    state: 'running',
    cancel_requested: true,
    runs: { queued: 0, leased: 2, cancelled: 1 },
  });
  t.equal(bodyOf(t, await beat(lease), BeatSchema).action, 'cancel');
  await complete(lease, 'pass');
  await complete(second, 'error');
  const ended = bodyOf(t, await ask('GET', `pool-jobs/${job.id}`), PoolJobSchema);
  t.match(ended, { state: 'cancelled', runs: { pass: 1, cancelled: 2, error: 0 } });
  t.strictSame(
    bodyOf(t, await ask('POST', `pool-jobs/${job.id}/cancel`), PoolJobSchema),
    ended,
    'one that has ended is unchanged',
  );
  t.equal((await ask('DELETE', `pool-jobs/${job.id}`)).statusCode, 204);
  problemOf(t, await ask('POST', `pool-jobs/${job.id}/cancel`), 'not_found');
  problemOf(t, await beat(second), 'not_found');
});

t.test('a run goes to a machine that it is for, the most urgent first', async (t) => {
  const pool = await newPool(t);
  await ask('PUT', `pools/${pool}/machines/emr`, {
    ...EMERALD,
    kernel: '6.12.90',
    labels: ['kvm', 'x'],
  });
  await ask('PUT', `pools/${pool}/machines/fixed`, { ...EMERALD, kernel: '6.12.112' });
  const wants = async (requires: object, priority = 0) =>
    (await newJob(t, pool, { requires, priority })).id;
  const takes = async (machine: string) => {
    const { lease, job } = await claim(t, pool, machine);
    await complete(lease, 'pass');
    return job.id;
  };
  const nothing = async (machine: string) => {
    const response = await ask('POST', `pools/${pool}/leases`, { machine });
    t.equal(response.statusCode, 204, machine);
  };
  const anybody = await wants({});
  const unfixed = await wants({ fix_state: 'unfixed', platform_class: 'K3' });
  const urgent = await wants({ cpu_model: 'emerald-rapids', labels: ['kvm'] }, 5);
  const fixed = await wants({ machine: 'fixed' });
  t.equal(await takes('emr'), urgent);
  t.equal(await takes('fixed'), anybody);
  t.equal(await takes('fixed'), fixed);
  await nothing('fixed');
  await nothing('unknown');
  t.equal(await takes('emr'), unfixed);
  const labelled = await wants({ labels: ['y'] });
  await nothing('emr');
  t.equal((await claim(t, pool, 'emr', { labels: ['y', 'z'] })).job.id, labelled);
  const machine = bodyOf(t, await ask('GET', `pools/${pool}/machines/emr`), MachineSchema);
  t.match(machine, { labels: ['y', 'z'], lease: String, seen_at: String });
});

t.test('who prefers to wait is told as soon as there is something', async (t) => {
  const pool = await newPool(t);
  const wait = (machine: string) =>
    ask('POST', `pools/${pool}/leases`, { machine }, { prefer: 'wait=30' });
  const first = wait('host-1');
  const second = wait('host-2');
  const before = performance.now();
  const { id } = await newJob(t, pool);
  const early = await Promise.race([first, second]);
  const { lease, job } = bodyOf(t, early, LentSchema, 201);
  t.equal(job.id, id);
  t.ok(performance.now() - before < 5000, 'at once');
  await complete(lease, 'error');
  const late = await (lease.machine === 'host-1' ? second : first);
  t.match(bodyOf(t, late, LentSchema, 201).lease, { id: lease.id, fencing_token: 2 });
  const brief = await ask(
    'POST',
    `pools/${pool}/leases`,
    { machine: 'host-3' },
    { prefer: 'wait=1' },
  );
  t.equal(brief.statusCode, 204);
  const vain = [wait('host-4'), wait('host-5')];
  await eventually(
    async () => (await ask('GET', `pools/${pool}/machines/host-5`)).statusCode,
    (status) => status === 200,
  );
  await sleep(50);
  t.equal((await ask('DELETE', `pools/${pool}`)).statusCode, 204);
  for (const answer of await Promise.all(vain)) problemOf(t, answer, 'not_found');
});

t.test('who hangs up gets nothing', async (t) => {
  const pool = await newPool(t);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const body = '{"machine":"gone"}';
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST /v1/pools/${pool}/leases HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${ADMIN}\r\ncontent-type: application/json\r\nprefer: wait=60\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const seen = async () => (await ask('GET', `pools/${pool}/machines/gone`)).statusCode;
  t.equal(await eventually(seen, (status) => status === 200), 200, 'it waits');
  socket.destroy();
  await once(socket, 'close');
  await sleep(100);
  const job = await newJob(t, pool);
  await sleep(200);
  t.equal((await theRun(t, job)).state, 'queued', 'nobody is there to carry it out');
});

t.test('a clock that is an hour off changes nothing', async (t) => {
  const pool = await newPool(t, { lease_seconds: 10 });
  const { now } = Date;
  for (const skew of [3_600_000, -3_600_000]) {
    Date.now = () => now() + skew;
    try {
      const job = await newJob(t, pool);
      const { lease } = await claim(t, pool);
      t.ok(lease.expires_in_seconds > 9 && lease.expires_in_seconds <= 10);
      t.equal((await beat(lease)).statusCode, 200);
      t.equal(bodyOf(t, await complete(lease, 'pass'), CompletionSchema).counts, true);
      t.match(await theRun(t, job), { verdict: 'pass' });
    } finally {
      Date.now = now;
    }
  }
});

/** Two reads two seconds apart, without PEBS events. */
const reads = (value: number) =>
  [0, 2]
    .map((second) => `# pebs_events=0 ts=2026-11-20T10:00:0${second}Z\ncpu=3 3f1=${value}\n`)
    .join('');
const CLEAN = reads(0);
const STUCK = reads(1);
const upload = (query: string, text = STUCK, token = ADMIN) =>
  ask('POST', `observations?${query}`, text, { 'content-type': 'text/plain' }, token);

t.test('what a machine sends under its lease is what its run showed', async (t) => {
  const pool = await newPool(t);
  await ask('PUT', `pools/${pool}/machines/host-17`, { ...EMERALD, kernel: '6.12.112' });
  const job = await newJob(t, pool, { copies: 2 });
  const { lease } = await claim(t, pool);
  const sent = bodyOf(t, await upload(`lease=${lease.id}`, CLEAN), ObservationSchema, 201);
  t.match(sent, { pool, machine: 'host-17', lease: lease.id, verdict: 'clean' });
  t.match(await theRun(t, job), { observed: 'pass', verdict: null });
  const stuck = bodyOf(
    t,
    await upload(`lease=${lease.id}&machine=host-17&pool=${pool}`),
    ObservationSchema,
    201,
  );
  t.equal(stuck.verdict, 'stuck');
  await upload(`lease=${lease.id}`, CLEAN);
  await complete(lease, 'pass');
  t.match(await theRun(t, job), { observed: 'fail', result: 'pass', verdict: 'fail' });
  for (const [query, code, name] of [
    ['lease=lease_0', 'unknown_name', 'lease'],
    [`lease=${lease.id}&pool=other`, 'rule_violated', 'pool'],
    [`lease=${lease.id}&machine=host-18`, 'rule_violated', 'machine'],
  ] as const) {
    const { errors } = problemOf(t, await upload(query), code);
    t.match(errors, [{ pointer: `/${name}`, in: 'query' }]);
  }
  t.equal((await upload('lease=job-of-another-service')).statusCode, 201, 'or none of ours');

  const page = bodyOf(t, await ask('GET', `pools/${pool}`), PoolSchema);
  t.match(page.runs, { queued: 1, leased: 0, fail: 1, pass: 0 });
  t.match(page.machines, [
    {
      name: 'host-17',
      kernel: '6.12.112',
      cpu_model: 'emerald-rapids',
      fix_state: 'fixed',
      predicted_path: 'none',
      observations: 3,
      shown_stuck: 1,
      shown_autoload: 0,
    },
  ]);
  t.match(page.disagreements, [{ machine: 'host-17', kind: 'unexpected_stuck' }]);
});

t.test('what an attempt showed that the lab failed is tried again with it', async (t) => {
  const pool = await newPool(t);
  const job = await newJob(t, pool);
  const { lease } = await claim(t, pool);
  const lossy = await upload(`lease=${lease.id}`, 'cpu=3 3f1=1\n');
  t.equal(bodyOf(t, lossy, ObservationSchema, 201).verdict, 'inconclusive');
  t.match(await theRun(t, job), { observed: 'error' });
  await complete(lease, 'error');
  const { lease: second } = await claim(t, pool);
  await upload(`lease=${lease.id}`, CLEAN);
  await complete(second, 'pass');
  t.match(await theRun(t, job), { observed: 'pass', verdict: 'pass' });
});

t.test('a callback under a lease decides its run, too', async (t) => {
  const pool = await newPool(t);
  const job = await newJob(t, pool);
  const { lease } = await claim(t, pool);
  const callback = (of: string) =>
    app.inject({
      method: 'POST',
      url: `/v1/callbacks/lava?lease=${of}`,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN}` },
      payload: {
        id: 7,
        status_string: 'complete',
        health_string: 'Complete',
        actual_device_id: 'a-board-of-the-lab',
        results: { '0_pebs-stuck': '- {name: cpu3, suite: 0_pebs-stuck, result: fail}\n' },
      },
    });
  problemOf(t, await callback('lease_0'), 'unknown_name');
  const sent = bodyOf(t, await callback(lease.id), ObservationSchema, 202);
  t.match(sent, { pool, machine: 'host-17', lease: lease.id, verdict: 'none' });
  t.match(await theRun(t, job), { observed: 'fail' });
});

t.test('the page of a pool says what does not fit the model', async (t) => {
  const pool = await newPool(t);
  const names = ['racy', 'quiet', 'fixed', 'unknown'];
  for (const name of names) {
    const kernel = name === 'fixed' ? '6.12.112' : '6.12.90';
    await ask(
      'PUT',
      `pools/${pool}/machines/${name}`,
      name === 'unknown' ? {} : { ...EMERALD, kernel },
    );
  }
  const shows = (machine: string, path: string, verdict: string) =>
    sql.query(
      `insert into observations (id, state, about, answer, finished_at) values ('obs_' || md5(random()::text), 'done', $1, $2, now())`,
      [
        { format: 'auto', facts: {}, pool, machine },
        { path, verdict },
      ],
    );
  await shows('racy', 'autoload', 'stuck');
  await shows('racy', 'none', 'clean');
  await shows('quiet', 'none', 'clean');
  await shows('quiet', 'unknown', 'inconclusive');
  await shows('fixed', 'autoload', 'clean');
  await shows('unknown', 'autoload', 'stuck');
  const { disagreements } = bodyOf(t, await ask('GET', `pools/${pool}`), PoolSchema);
  t.match(disagreements, [
    { machine: 'quiet', kind: 'never_autoload', text: /1 of 2 texts shows/ },
    { machine: 'fixed', kind: 'unexpected_autoload', text: /1 of 1 text shows/ },
  ]);
  t.equal(disagreements.length, 2);
});

t.test('the token of a machine is good for its leases, and for nothing else', async (t) => {
  for (const name of ['lab-a', 'lab-b']) await ask('PUT', `pools/${name}`, {});
  const jobs = [await newJob(t, 'lab-a', { copies: 2 }), await newJob(t, 'lab-b')];
  const a = (method: Method, path: string, body?: object) => ask(method, path, body, {}, LAB_A);
  const whoami = bodyOf(t, await a('GET', 'whoami'), WhoAmISchema);
  t.strictSame(whoami, { name: 'a', scope: 'pool', pools: ['lab-a', 'lab-c'] });
  const lent = await a('POST', 'pools/lab-a/leases', { machine: 'host-1' });
  const { lease } = bodyOf(t, lent, LentSchema, 201);
  const mine = { fencing_token: lease.fencing_token };
  t.equal((await a('PUT', `leases/${lease.id}/heartbeat`, mine)).statusCode, 200);
  t.equal((await upload(`lease=${lease.id}`, CLEAN, LAB_A)).statusCode, 201);

  const { lease: theirs } = await claim(t, 'lab-b');
  const beatTheirs = { fencing_token: theirs.fencing_token };
  for (const [id, other] of [
    [lease.id, LAB_B],
    [theirs.id, LAB_A],
  ] as const) {
    const body = { ...beatTheirs, result: 'pass' };
    const there = await ask('POST', `leases/${id}/complete`, body, {}, other);
    const nowhere = await ask('POST', 'leases/lease_0/complete', body, {}, other);
    t.equal(problemOf(t, there, 'not_found').detail, `There is no lease ${id}.`);
    t.equal(problemOf(t, nowhere, 'not_found').detail, 'There is no lease lease_0.', 'the same');
    problemOf(t, await ask('PUT', `leases/${id}/heartbeat`, beatTheirs, {}, other), 'not_found');
    problemOf(t, await upload(`lease=${id}`, CLEAN, other), 'unknown_name');
  }
  const other = await a('POST', 'pools/lab-b/leases', { machine: 'host-1' });
  const none = await a('POST', 'pools/lab-z/leases', { machine: 'host-1' });
  t.equal(problemOf(t, other, 'not_found').detail, 'There is no pool lab-b.');
  t.equal(problemOf(t, none, 'not_found').detail, 'There is no pool lab-z.', 'the same');
  problemOf(t, await upload('machine=host-1&pool=lab-a', CLEAN, LAB_A), 'forbidden');
  problemOf(t, await upload('lease=mine&pool=lab-a', CLEAN, LAB_A), 'forbidden');

  const { paths } = app.swagger() as unknown as {
    paths: Record<string, Record<string, { description: string }>>;
  };
  let refused = 0;
  for (const [pattern, operations] of Object.entries(paths)) {
    for (const [method, { description }] of Object.entries(operations)) {
      if (!pattern.startsWith('/v1/') || /Scope: `(pool|any)`/.test(description)) continue;
      const path = pattern
        .slice('/v1/'.length)
        .replace('{pool}', 'lab-a')
        .replace('{lease}', lease.id)
        .replace('{job}', jobs[0]?.id ?? '')
        .replace(/\{\w+\}/g, 'host-1');
      const response = await a(method.toUpperCase() as Method, path);
      if (response.statusCode !== 403) t.fail(`${method} ${path}: ${response.statusCode}`);
      refused += 1;
    }
  }
  t.ok(refused > 80, `${refused} routes`);
  const done = await a('POST', `leases/${lease.id}/complete`, { ...mine, result: 'pass' });
  t.equal(done.statusCode, 200);
});

t.test('waiting ends with the service', async (t) => {
  const pool = await newPool(t);
  const waiting = ask('POST', `pools/${pool}/leases`, { machine: 'm' }, { prefer: 'wait=60' });
  await sleep(100);
  const closed = close();
  const answer = await waiting;
  t.equal(answer.statusCode, 204);
  t.ok(answer.headers['retry-after']);
  await closed;
});
