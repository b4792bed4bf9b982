/** Explanations while they run: by instances that stop or die, and when they are no longer wanted. */
import root, { type Test } from 'tap';
import { type Explanation, ExplanationSchema } from '../../schemas/explanation.js';
import { bodyOf, problemOf } from '../helper.js';
import { emptyDatabase, eventually, meddler, startInstance } from '../instances.js';
import { HUGE, SMALL } from '../worlds.js';

const t = root;
const url = await emptyDatabase(t);
const { app: api } = await startInstance(t, url, { role: 'api' });
const sql = await meddler(t, url);

const worker = (t: Pick<Test, 'teardown'>) => startInstance(t, url, { role: 'worker' });

const line = (text: string): string => `       CPU 0/KVM-4200    [000] d..1.   100.000001: ${text}`;
const TRIP = [
  line('kvm_entry: vcpu 0, rip 0x0'),
  line('write_msr: 3f1, value 0'),
  line('kvm_exit: vcpu 0 reason EXTERNAL_INTERRUPT rip 0x0 info1 0x0000000000000000'),
];
const SECTION = [
  line('write_msr: 38f, value 0'),
  line('write_msr: 3f1, value 0'),
  line('write_msr: 3f1, value 1'),
  line('write_msr: 38f, value 1000f000000ff'),
];
/** Nothing makes the last line, so every state before it is looked at. */
const TRACE = [...TRIP, ...SECTION, line('write_msr: 3f1, value f')];

const { cpu_model } = HUGE;
const modelOf = ({ events, vcpus, actors }: typeof SMALL) => ({ events, vcpus, actors });
const KERNELS = ['linux-7.2.6', 'linux-6.12.107', 'linux-6.19', 'linux-6.16', 'linux-6.12.27'];
/** Seconds a kernel. */
const LONG = { kernels: KERNELS, cpu_model, model: modelOf(HUGE) };
const SHORT = { kernels: KERNELS.slice(0, 2), cpu_model, model: modelOf(SMALL) };

async function observe(): Promise<string> {
  const answer = await api.inject({
    method: 'POST',
    url: '/v1/observations',
    headers: { 'content-type': 'text/plain' },
    payload: `# tracer: nop\n#\n${TRACE.join('\n')}\n`,
  });
  t.equal(answer.statusCode, 201, answer.body);
  return answer.json().id;
}

const ask = (observation: string, payload: object, prefer = 'wait=0') =>
  api.inject({
    method: 'POST',
    url: `/v1/observations/${observation}/explanations`,
    headers: { prefer },
    payload,
  });

const read = async (id: string): Promise<Explanation> =>
  (await api.inject(`/v1/explanations/${id}`)).json();

/** One that runs, and has read its records. */
async function running(observation: string, request: object = LONG): Promise<string> {
  const { id } = (await ask(observation, request)).json();
  const item = await eventually(
    () => read(id),
    ({ records, finished_at }) => records !== undefined || finished_at !== undefined,
  );
  t.match(item, { state: 'running', records: TRACE.length });
  return id;
}

/** Within less time than what runs would take. */
async function assertFree(t: Test, observation: string): Promise<void> {
  const found = bodyOf(t, await ask(observation, SHORT, 'wait=60'), ExplanationSchema);
  t.match(found, { state: 'succeeded', attempts: 1 }, 'the worker is free again');
}

t.test('nothing is explained without a worker, and what waits can be cancelled', async (t) => {
  const { id, state } = (await ask(await observe(), LONG)).json();
  t.equal(state, 'queued');
  const cancel = { method: 'POST', url: `/v1/explanations/${id}/cancel` } as const;
  const cancelled = bodyOf(t, await api.inject(cancel), ExplanationSchema);
  t.match(cancelled, { state: 'cancelled', finished_at: String, kernels: [] });
  t.equal(cancelled.verdict, undefined);
  t.strictSame((await api.inject(cancel)).json(), cancelled, 'once');
});

t.test('what an instance was at when it died, another one begins again', async (t) => {
  const { id } = (await ask(await observe(), SHORT)).json();
  // As if a worker had died, and the queue had been lost.
  await sql.query(
    `update explanations set state = 'running', attempts = 1, lives = '{dead}' where id = $1`,
    [id],
  );
  await sql.query('drop schema bullmq cascade');
  await worker(t);
  const found = await eventually(
    () => read(id),
    ({ finished_at }) => finished_at !== undefined,
  );
  t.match(found, { state: 'succeeded', attempts: 2, fits: [] });
  t.strictSame(
    found.kernels.map(({ kernel }) => kernel),
    SHORT.kernels,
    'none twice',
  );
});

t.test('what an instance was at when it stopped, another one begins again', async (t) => {
  const first = await worker(t);
  const observation = await observe();
  // Then its thread has started, which on a busy machine may take longer than a stop waits.
  await assertFree(t, observation);
  const id = await running(observation);
  await first.close();
  t.match(await read(id), { state: 'queued', attempts: 1 });
  await worker(t);
  const again = await eventually(
    () => read(id),
    ({ state, attempts }) => state === 'running' && attempts === 2,
  );
  t.match(again, { state: 'running', attempts: 2 });
  await api.inject({ method: 'POST', url: `/v1/explanations/${id}/cancel` });
  const ended = await eventually(
    () => read(id),
    ({ finished_at }) => finished_at !== undefined,
  );
  t.match(ended, { state: 'cancelled', finished_at: String });
  await assertFree(t, observation);
});

t.test('one that runs is deleted', async (t) => {
  await worker(t);
  const observation = await observe();
  const path = `/v1/explanations/${await running(observation)}`;
  t.equal((await api.inject({ method: 'DELETE', url: path })).statusCode, 204);
  problemOf(t, await api.inject(path), 'not_found');
  await assertFree(t, observation);
});

t.test('an observation that is deleted ends its explanations', async (t) => {
  await worker(t);
  const observation = await observe();
  const [runs, waits] = [await running(observation), (await ask(observation, LONG)).json().id];
  const waiting = api.inject({ url: `/v1/explanations/${runs}`, headers: { prefer: 'wait=60' } });
  const gone = await api.inject({ method: 'DELETE', url: `/v1/observations/${observation}` });
  t.equal(gone.statusCode, 204);
  problemOf(t, await waiting, 'not_found');
  for (const id of [runs, waits]) {
    problemOf(t, await api.inject(`/v1/explanations/${id}`), 'not_found');
    const last = async () => (await api.inject(`/v1/events?subject=${id}`)).json().items.at(-1);
    const wanted = { type: 'explanation.deleted' };
    t.match(await eventually(last, (event) => event?.type === wanted.type), wanted);
  }
  await assertFree(t, await observe());
});

t.test('nothing is asked of an observation that is just being deleted', async (t) => {
  const observation = await observe();
  await sql.query('begin');
  await sql.query('delete from observations where id = $1', [observation]);
  const asked = ask(observation, SHORT);
  const blocked = async () =>
    (
      await sql.query(`select 1 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`)
    ).rows.length;
  t.ok(await eventually(blocked, (count) => count > 0, 10_000), 'it waits for the end of that');
  await sql.query('commit');
  problemOf(t, await asked, 'not_found');
});
