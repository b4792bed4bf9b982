/** Campaigns over HTTP: what is refused, what is answered in which format, and that a seed alone decides the results. */
import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { CampaignResultsSchema, CampaignSchema } from '../../schemas/campaign.js';
import { DEFAULT_CONFIG } from '../../src/config/configuration.js';
import { WorkQueue } from '../../src/jobs/work-queue.js';
import { CPU_MODELS } from '../../src/pmu/arch/cpu-models.js';
import { Housekeeping } from '../../src/service/housekeeping.js';
import { bodyOf, build, freshStorage, problemOf } from '../helper.js';

const REQUEST = {
  name: 'nightly run',
  matrix: {
    kernels: ['linux-7.2.6', 'linux-6.12.117'],
    cpu_models: ['emerald-rapids', 'haswell-x'],
    scenarios: ['matrix-linux-7.2.6-k3-prompt'],
  },
  walks: 400,
  steps_per_walk: 100,
  seed: 7,
};

const post = (app: FastifyInstance, payload: object) =>
  app.inject({
    method: 'POST',
    url: '/v1/campaigns',
    headers: { prefer: 'wait=60' },
    payload,
  });

async function resultsOf(t: Test, app: FastifyInstance, payload: object) {
  const { id, state } = bodyOf(t, await post(app, payload), CampaignSchema);
  t.equal(state, 'succeeded');
  const answer = await app.inject(`/v1/campaigns/${id}/results`);
  const { id: _, ...results } = bodyOf(t, answer, CampaignResultsSchema);
  return { id, results };
}

const storage = await freshStorage(t);
const config = { ...DEFAULT_CONFIG, checkpointMegabytes: 0, workerConcurrency: 3 };
const app = await build(t, { storage, config });
/** What most tests look at; the first carries it out. */
let campaign = '';
let results: Awaited<ReturnType<typeof resultsOf>>['results'];

t.test('a campaign is carried out', async (t) => {
  ({ id: campaign, results } = await resultsOf(t, app, REQUEST));
});

t.test('a campaign that cannot be meant is refused, naming the field', async (t) => {
  const { matrix } = REQUEST;
  for (const [change, code, pointer] of [
    [{ matrix: { ...matrix, kernels: ['v7'] } }, 'unknown_name', '/matrix/kernels/0'],
    [{ matrix: { ...matrix, cpu_models: ['EMR'] } }, 'unknown_name', '/matrix/cpu_models/0'],
    [{ matrix: { ...matrix, scenarios: ['A0'] } }, 'rule_violated', '/matrix/scenarios/0'],
    [{ matrix: { ...matrix, kernels: [] } }, 'validation', '/matrix/kernels'],
    [{ walks: 0 }, 'validation', '/walks'],
    [{ seed: -1 }, 'validation', '/seed'],
    [{ steps_per_wlak: 3 }, 'validation', '/steps_per_wlak'],
  ] as const) {
    const refused = problemOf(t, await post(app, { ...REQUEST, ...change }), code);
    t.match(refused.errors, [{ pointer }]);
  }
  const much = { ...REQUEST, walks: 1_000_000, steps_per_walk: 1_000_000 };
  t.match(problemOf(t, await post(app, much), 'validation').errors, [
    { pointer: '/steps_per_walk' },
  ]);
  const cpu_models = CPU_MODELS.map(({ id }) => id);
  const wide = { ...much, matrix: { ...matrix, cpu_models }, steps_per_walk: 100_000 };
  t.match(problemOf(t, await post(app, wide), 'rule_violated').errors, [{ pointer: '/walks' }]);
  problemOf(t, await app.inject('/v1/campaigns/camp_none'), 'not_found');
  problemOf(t, await app.inject('/v1/campaigns/camp_none/results'), 'not_found');
});

t.test('the same request has the same results, with one worker thread or three', async (t) => {
  const alone = await build(t, {
    storage: await freshStorage(t),
    config: { ...config, workerConcurrency: 1 },
  });
  t.strictSame((await resultsOf(t, alone, REQUEST)).results, results);
  const [raced, , fixed] = results.cells;
  t.match(raced, {
    kernel: 'linux-7.2.6',
    cpu_model: 'emerald-rapids',
    scenario: 'main-race-prompt',
    status: 'violated',
  });
  t.match(fixed, { kernel: 'linux-6.12.117', cpu_model: 'emerald-rapids', status: 'clean' });
  const [property] = raced?.properties ?? [];
  t.ok((property?.rate_low ?? 1) < (property?.rate ?? 0));
  t.ok((property?.rate ?? 1) < (property?.rate_high ?? 0));
});

t.test('a first violating walk is replayed on a host made for it', async (t) => {
  const { host, script } = results.cells[0]?.properties[0]?.first ?? {};
  const send = (url: string, payload: object) => app.inject({ method: 'POST', url, payload });
  const { id } = (await send('/v1/hosts', host ?? {})).json();
  const replayed = (await send(`/v1/hosts/${id}/scripts`, { actions: script })).json();
  t.match(replayed.violations, [{ invariant: 'I1' }]);
});

t.test('results come in four formats, by Accept or by name', async (t) => {
  const url = `/v1/campaigns/${campaign}/results`;
  for (const [format, type, start] of [
    ['json', 'application/json', '{"id":'],
    ['csv', 'text/csv', 'kernel,cpu_model,scenario,'],
    ['junit', 'application/xml', '<?xml '],
    ['ktap', 'text/plain', 'KTAP version 1\n1..2\n'],
  ] as const) {
    const accepted = await app.inject({ url, headers: { accept: type } });
    const named = await app.inject(`${url}?format=${format}`);
    for (const answer of [accepted, named]) {
      t.equal(answer.statusCode, 200);
      t.ok(answer.headers['content-type']?.toString().startsWith(type), format);
      t.ok(answer.body.startsWith(start), answer.body.slice(0, 80));
    }
    t.equal(named.body, accepted.body);
    t.match(named.body, /main-race-prompt/, 'the world, whose name fits every cell');
    t.notMatch(named.body, /matrix-/);
    t.ok(accepted.headers.etag, 'to be polled at no cost');
  }
  problemOf(t, await app.inject({ url, headers: { accept: 'image/png' } }), 'not_acceptable');
  problemOf(t, await app.inject(`${url}?format=pdf`), 'validation');
});

t.test('what ended long ago is forgotten with all that belongs to it', async (t) => {
  const old = campaign;
  const young = (await resultsOf(t, app, { ...REQUEST, walks: 10 })).id;
  const { pool } = storage.database;
  await pool.query(
    `update campaigns set finished_at = now() - interval '721 hours' where id = $1`,
    [old],
  );
  const queue = await WorkQueue.open({
    databaseUrl: storage.database.url,
    lockSeconds: 30,
    onError: (error) => t.fail(error.message),
  });
  t.after(() => queue.close());
  await new Housekeeping(storage.database, queue, DEFAULT_CONFIG).keep();
  problemOf(t, await app.inject(`/v1/campaigns/${old}`), 'not_found');
  t.equal((await app.inject(`/v1/campaigns/${young}`)).statusCode, 200);
  const { rows } = await pool.query(
    `select (select count(*)::int from campaign_chunks where campaign_id = $1) as chunks,
            (select count(*)::int from campaign_violations where campaign_id = $1) as violations`,
    [old],
  );
  t.strictSame(rows, [{ chunks: 0, violations: 0 }]);
});
