/** Explorations and campaigns that one instance is asked for and another carries out. */
import type { FastifyInstance } from 'fastify';
import root, { type Test } from 'tap';
import { CampaignPageSchema, CampaignSchema } from '../../schemas/campaign.js';
import { ExplorationPageSchema, ExplorationSchema } from '../../schemas/exploration.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { bodyOf, problemOf } from '../helper.js';
import { emptyDatabase, eventually, type Instance, meddler, startInstance } from '../instances.js';
import { HUGE_SEARCH, SMALL } from '../worlds.js';
import { request } from './campaigns/lab.js';

const t = root;
let first: Instance | undefined;
const url = await emptyDatabase(t);
const { app: api } = await startInstance(t, url, { role: 'api' });
const sql = await meddler(t, url);

/** More walks than a test waits for, in cells of some tenths of a second. */
const LONG = request(
  {
    kernels: KERNELS.map(({ id }) => id),
    cpu_models: ['emerald-rapids', 'sapphire-rapids', 'ice-lake-sp', 'ice-lake'],
  },
  { walks: 250, steps_per_walk: 1000 },
);

type Kind = 'explorations' | 'campaigns';

function post(path: string, payload: object, headers = {}) {
  return api.inject({ method: 'POST', url: `/v1/${path}`, headers, payload });
}

async function read(kind: Kind, id: string, headers = {}) {
  return (await api.inject({ url: `/v1/${kind}/${id}`, headers })).json();
}

interface Work {
  readonly state: string;
  readonly attempts: number;
  readonly progress: { readonly done: number };
  readonly finished_at?: string;
}

/** Reads it until it is as wanted. */
function until(kind: Kind, id: string, wanted: (item: Work) => boolean) {
  return eventually(() => read(kind, id), wanted);
}

const isOver = (item: { finished_at?: string }) => item.finished_at !== undefined;

const worker = (t: Pick<Test, 'teardown'>) => startInstance(t, url, { role: 'worker' });

t.test('nothing is done without a worker, and what waits can be cancelled', async (t) => {
  for (const [kind, body] of [
    ['explorations', HUGE_SEARCH],
    ['campaigns', LONG],
  ] as const) {
    const { id, state } = (await post(kind, body)).json();
    t.equal(state, 'queued');
    const cancelled = await post(`${kind}/${id}/cancel`, {});
    t.match(cancelled.json(), { state: 'cancelled', finished_at: String });
    t.strictSame((await post(`${kind}/${id}/cancel`, {})).json(), cancelled.json(), 'once');
    problemOf(t, await post(`${kind}/${id}x/cancel`, {}), 'not_found');
  }
});

t.test('one instance is asked and waits, another works', async (t) => {
  first = await worker(root);
  const explored = await post('explorations', { model: SMALL }, { prefer: 'wait=60' });
  const found = bodyOf(t, explored, ExplorationSchema);
  t.match(found, { state: 'succeeded', verdict: 'violated', attempts: 1 });
  t.equal(explored.headers.location, `/v1/explorations/${found.id}`);
  const walked = await post('campaigns', request({}, { walks: 20 }), { prefer: 'wait=60' });
  const campaign = bodyOf(t, walked, CampaignSchema);
  t.match(campaign, { state: 'succeeded', progress: { done: 20, total: 20 } });
});

t.test(
  'progress shows, and a cancel on another instance ends the work within a second',
  async (t) => {
    const ids: string[] = [];
    for (const [kind, body] of [
      ['explorations', HUGE_SEARCH],
      ['campaigns', LONG],
    ] as const) {
      const { id } = (await post(kind, body)).json();
      ids.push(id);
      const running = await until(
        kind,
        id,
        ({ state, progress }) => state === 'running' && progress.done > 0,
      );
      t.equal(running.state, 'running');
      t.ok(running.progress.done > 0, `${kind} tell how far they are`);
      const cancelled = (await post(`${kind}/${id}/cancel`, {})).json();
      t.match(cancelled, { state: 'cancelled', finished_at: String });
      t.equal(cancelled.error, undefined);
      // The worker is free again.
      const next = await post('explorations', { model: SMALL }, { prefer: 'wait=60' });
      t.equal(next.json().state, 'succeeded');
    }
    const url = `/v1/campaigns/${ids[1]}/results`;
    const { state, cells } = (await api.inject(url)).json();
    t.equal(state, 'cancelled');
    t.ok(cells.length > 100);
    const isOf = (statuses: RegExp) => (cell: { status: string }) => statuses.test(cell.status);
    t.ok(cells.some(isOf(/^incomplete$/)), 'it says what was not walked');
    t.ok(cells.some(isOf(/^(violated|clean)$/)), 'and keeps what was');
    t.match((await api.inject(`${url}?format=csv`)).body, /incomplete/);
  },
);

t.test('work of an instance that stops is given back and ended by the next', async (t) => {
  const exploration = (await post('explorations', HUGE_SEARCH)).json().id;
  const kernels = ['linux-7.2.6', 'linux-6.12.117', 'linux-7.3.4'];
  const walks = request({ kernels }, { walks: 400, steps_per_walk: 1000 });
  const campaign = (await post('campaigns', walks)).json().id;
  await until('explorations', exploration, ({ progress }) => progress.done > 0);
  await until('campaigns', campaign, ({ state }) => state === 'running');
  await first?.close();
  t.match(await read('explorations', exploration), { state: 'queued', attempts: 1 });
  await worker(t);
  t.match(
    await until(
      'explorations',
      exploration,
      ({ attempts, state }) => attempts === 2 && state === 'running',
    ),
    { attempts: 2, state: 'running' },
  );
  t.match(await until('campaigns', campaign, isOver), {
    state: 'succeeded',
    progress: { done: 1200, total: 1200 },
  });
  t.match((await post(`explorations/${exploration}/cancel`, {})).json(), { state: 'cancelled' });
});

t.test('what lost its job gets one again when a worker starts', async (t) => {
  const exploration = (await post('explorations', { model: SMALL })).json().id;
  const campaign = (await post('campaigns', request({}, { walks: 20 }))).json().id;
  // As if a worker had died and the queue had been lost.
  await sql.query(`update explorations set state = 'running', attempts = 1 where id = $1`, [
    exploration,
  ]);
  await sql.query(`update campaigns set state = 'running' where id = $1`, [campaign]);
  await sql.query(`drop schema bullmq cascade`);
  await worker(t);
  t.match(await until('explorations', exploration, isOver), {
    state: 'succeeded',
    attempts: 2,
  });
  t.match(await until('campaigns', campaign, isOver), { state: 'succeeded' });
});

t.test('lists page through everything, newest first or oldest first', async (t) => {
  for (let at = 0; at < 3; at += 1) {
    const { id } = (await post('explorations', { model: SMALL })).json();
    await post(`explorations/${id}/cancel`, {});
  }
  for (const [kind, schema] of [
    ['explorations', ExplorationPageSchema],
    ['campaigns', CampaignPageSchema],
  ] as const) {
    const { rows } = await sql.query(`select id from ${kind} order by seq desc`);
    const seen: string[] = [];
    let next = `/v1/${kind}?limit=2`;
    while (next !== '') {
      const answer = await api.inject(next);
      const page = bodyOf<typeof schema>(t, answer, schema);
      seen.push(...page.items.map(({ id }: { id: string }) => id));
      t.equal(page.has_more, answer.headers.link !== undefined);
      next = /<([^>]+)>/.exec(String(answer.headers.link))?.[1] ?? '';
    }
    t.strictSame(
      seen,
      rows.map(({ id }) => id),
    );
    t.ok(seen.length > 2);
    const oldest = await api.inject(`/v1/${kind}?sort=oldest&limit=100`);
    const ids = oldest.json().items.map(({ id }: { id: string }) => id);
    t.strictSame(ids, seen.toReversed());
    problemOf(t, await api.inject(`/v1/${kind}?cursor=nonsense`), 'validation');
  }
});

t.test('the service refuses more than it means to queue', async (t) => {
  await sql.query(`insert into campaigns (id, state, request, resource)
    select 'camp_many' || n, 'queued', '{}', '{}' from generate_series(1, 32) n`);
  const refused = await post('campaigns', request({}, { walks: 1 }));
  problemOf(t, refused, 'too_many_requests');
  t.ok(Number(refused.headers['retry-after']) > 0);
  await sql.query(`delete from campaigns where id like 'camp_many%'`);
});

t.test('an instance that is closed leaves no connection', async (t) => {
  const own = await emptyDatabase(t);
  const watch = await meddler(t, own);
  const instance = await startInstance(t, own);
  const send = (app: FastifyInstance, path: string, payload: object) =>
    app.inject({
      method: 'POST',
      url: `/v1/${path}`,
      headers: { 'idempotency-key': 'k' },
      payload,
    });
  await send(instance.app, 'explorations', { model: SMALL });
  await send(instance.app, 'hosts', { cpu_model: 'emerald-rapids', kernel: 'upstream-base' });
  await instance.app.inject('/metrics');
  await instance.close();
  const left = async () => {
    const { rows } = await watch.query(
      `select application_name, state, query from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`,
    );
    return rows;
  };
  t.strictSame(await eventually(left, ({ length }) => length === 0), []);
});
