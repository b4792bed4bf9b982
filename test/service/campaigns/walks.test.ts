/** The walks of a campaign: the same whatever the threads and the chunks, and what they find replays. */
import t, { type Test } from 'tap';
import { CampaignResultsSchema, type CampaignViolation } from '../../../schemas/campaign.js';
import { HostSchema } from '../../../schemas/host.js';
import { type Script, ScriptSchema } from '../../../schemas/script.js';
import { parsePath, walkTo } from '../../../src/explorer/path.js';
import { Random } from '../../../src/explorer/prng.js';
import { modelOf } from '../../../src/service/campaigns/cell-models.js';
import {
  type CampaignPlan,
  type Chunk,
  planCampaign,
} from '../../../src/service/campaigns/plan.js';
import { noTotals, resultsOf, summaryOf } from '../../../src/service/campaigns/totals.js';
import { walkChunk } from '../../../src/service/campaigns/walk-chunk.js';
import { faults } from '../../faults.js';
import { bodyOf, build } from '../../helper.js';
import { pool, RACE_LATE, RACE_PROMPT, request, results, walked } from './lab.js';

const app = await build(t);
const two = pool(t, 2);

async function replayed(t: Test, { host, script }: CampaignViolation): Promise<Script> {
  const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: host });
  const { id } = bodyOf(t, made, HostSchema, 201);
  const url = `/v1/hosts/${id}/scripts`;
  const answer = await app.inject({ method: 'POST', url, payload: { actions: script } });
  return bodyOf(t, answer, ScriptSchema);
}

/** Chunks of so many walks each. */
function cut({ cells, walks }: CampaignPlan, size: number): Chunk[] {
  return cells.flatMap((_, cell) =>
    Array.from({ length: Math.ceil(walks / size) }, (_, at) => ({
      cell,
      first_walk: at * size,
      walks: Math.min(size, walks - at * size),
    })),
  );
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  const random = new Random(99);
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

t.test(
  'a seed gives the same totals whatever the chunks, their order and the threads',
  async (t) => {
    const kernels = ['linux-7.2.6', 'linux-6.12.117'];
    const plan = await planCampaign(request({ kernels, scenarios: [RACE_LATE] }, { walks: 40 }));
    const whole = await walked(two, plan, cut(plan, 40));
    t.equal(summaryOf(plan, whole).done, 80);
    t.equal(summaryOf(plan, whole).verdict, 'violated');
    const one = pool(t, 1);
    for (const [name, threads, chunks] of [
      ['size 1', two, cut(plan, 1)],
      ['size 7', two, cut(plan, 7)],
      ['size 7, shuffled', two, shuffled(cut(plan, 7))],
      ['size 7 backwards, one thread', one, cut(plan, 7).reverse()],
      ['size 7, three threads', pool(t, 3), shuffled(cut(plan, 7))],
    ] as const) {
      t.strictSame(await walked(threads, plan, chunks), whole, name);
    }
    t.strictSame(await results(two, plan, whole), await results(one, plan, whole));
  },
);

t.test('a cell finds the same in any matrix, and something else under another seed', async (t) => {
  const long = { walks: 400, steps_per_walk: 300 };
  const alone = await planCampaign(request({}, long));
  const among = await planCampaign(
    request(
      {
        kernels: ['pebs-v1', 'linux-7.2.6'],
        cpu_models: ['haswell-x', 'emerald-rapids'],
        scenarios: [RACE_LATE, RACE_PROMPT],
      },
      long,
    ),
  );
  const at = among.cells.findIndex(
    ({ kernel, cpuModel, scenario }) =>
      kernel === 'linux-7.2.6' && cpuModel === 'emerald-rapids' && scenario === 'main-race-prompt',
  );
  const chunk = { cell: at, first_walk: 0, walks: long.walks };
  const cells = await walked(two, among, [chunk]);
  const [own] = await walked(two, alone);
  t.strictSame(cells[at], own);
  t.ok((own?.properties[0]?.violated_walks ?? 0) > 0, 'it finds something');
  const other = await planCampaign(request({}, { ...long, seed: 2 }));
  t.notSame((await walked(two, other))[0], own);
});

t.test('the main race on linux-7.2.6 is found, and its script replays', async (t) => {
  const plan = await planCampaign(
    request({ scenarios: [RACE_PROMPT, RACE_LATE] }, { walks: 120, steps_per_walk: 1000 }),
  );
  const totals = await walked(two, plan);
  const found = await results(two, plan, totals);
  t.strictSame(faults(CampaignResultsSchema, JSON.parse(JSON.stringify(found))), []);
  for (const [at, cell] of found.cells.entries()) {
    t.equal(cell.status, 'violated', cell.scenario);
    const [property] = cell.properties;
    const first = property?.first;
    if (property === undefined || first === undefined) return t.fail('nothing was shrunk');
    t.equal(property.id, 'I1');
    t.ok(property.rate_low < property.rate && property.rate < property.rate_high);
    const { found: mask } = walkTo(modelOf(plan.cells[at]!), parsePath(first.path));
    t.equal(mask, 1, 'the shrunk path ends in the violation');
    // At best it is 24; a round trip in which the NMI comes too early may stay in it, with the tick that heals it.
    t.ok(first.steps <= first.walk_steps && first.steps < 70, `${first.steps} steps`);
    const { violations, msrs } = await replayed(t, first);
    t.ok(
      violations.some(({ invariant }) => invariant === 'I1'),
      'the same violation, live',
    );
    t.strictSame(msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE')?.stuck, ['PMC0']);
  }
});

t.test('the main race on the landed kernel stays clean with prompt NMIs', async (t) => {
  const plan = await planCampaign(
    request({ kernels: ['linux-6.12.117'] }, { walks: 300, steps_per_walk: 500 }),
  );
  const found = await results(two, plan, await walked(two, plan));
  const [cell] = found.cells;
  t.match(cell, { status: 'clean', walks: 300, steps: 150_000 });
  t.match(cell?.properties, [{ id: 'I1', violated_walks: 0, rate: 0, rate_low: 0 }]);
  t.ok((cell?.properties[0]?.rate_high ?? 0) > 0.01, 'which proves nothing');
});

t.test('what a walk finds in any scenario replays to the same violation', async (t) => {
  const scenarios = [
    'h1-group-throttle-linux-7.3.4',
    'h2-late-pmi-linux-7.3.4',
    'h3-between-read-and-write-linux-7.3.4',
    'h4-counting-without-pebs',
    'h5-vmfail-k3',
    'h7-migration-pebs-v1',
    'global-ctrl-in-nmi',
    'pmu-left-off-zero-global-ctrl-e2',
    'quiescence-k1-bpf-snapshot',
    'quiescence-k1-nmi-throttle',
  ];
  let replays = 0;
  for (const [kernel, cpuModel] of [
    ['linux-7.2.6', 'emerald-rapids'],
    ['linux-6.12.117', 'haswell-x'],
    ['zero-global-ctrl-e2', 'emerald-rapids'],
  ] as const) {
    const matrix = { kernels: [kernel], cpu_models: [cpuModel], scenarios };
    const plan = await planCampaign(request(matrix, { walks: 40, steps_per_walk: 300 }));
    const found = await results(two, plan, await walked(two, plan));
    for (const { cpu_model, scenario, properties } of found.cells) {
      for (const { id, first } of properties) {
        if (first === undefined) continue;
        const { violations } = await replayed(t, first);
        const seen = violations.map(({ invariant }) => invariant);
        t.ok(seen.includes(id), `${kernel} ${cpu_model} ${scenario} ${id}: ${seen}`);
        replays += 1;
      }
    }
  }
  t.ok(replays >= 10, `${replays} replays`);
});

t.test('a long walk is shrunk to a short one', async (t) => {
  const plan = await planCampaign(
    request({ cpu_models: ['haswell-x'] }, { walks: 2, steps_per_walk: 100_000, seed: 6 }),
  );
  const totals = await walked(two, plan);
  const found = await results(two, plan, totals);
  const first = found.cells[0]?.properties[0]?.first;
  t.ok((first?.walk_steps ?? 0) > 5_000, `${first?.walk_steps} steps`);
  t.ok((first?.steps ?? 1000) < 60, `shrunk to ${first?.steps}`);
});

t.test('a cancelled chunk ends in the middle, and the pool goes on', async (t) => {
  const plan = await planCampaign(
    request({ kernels: ['linux-6.12.117'] }, { walks: 1_000_000, steps_per_walk: 100_000 }),
  );
  const abort = new AbortController();
  const chunk = { cell: 0, first_walk: 0, walks: 1_000_000 };
  const walking = two.run('walkChunk', plan, chunk, abort.signal);
  const other = two.run('walkChunk', plan, { cell: 0, first_walk: 0, walks: 1 });
  setTimeout(() => abort.abort(), 300);
  // To its end it would take a day.
  await t.rejects(walking, { name: 'AbortError' });
  t.equal((await other).steps, 100_000, 'what another thread did is kept');
  t.equal((await two.run('walkChunk', plan, { cell: 0, first_walk: 5, walks: 1 })).walks, 1);
  await t.rejects(two.run('walkChunk', plan, chunk, AbortSignal.abort()), { name: 'AbortError' });
  const { cells } = resultsOf(plan, noTotals(plan), { id: 'camp_1a', state: 'cancelled' });
  t.match(cells, [{ status: 'incomplete', walks: 0, properties: [{ rate_low: 0, rate_high: 1 }] }]);
});

t.test('a chunk is walked the same in a thread and outside', async (t) => {
  const plan = await planCampaign(request({ scenarios: [RACE_LATE] }));
  const chunk = { cell: 0, first_walk: 3, walks: 9 };
  const here = walkChunk({ cell: plan.cells[0]!, stepsPerWalk: 100, piece: chunk });
  t.ok(here.properties[0]!.violated_walks > 0, 'it finds something');
  const there = await two.run('walkChunk', plan, chunk);
  t.ok(there.seconds! > 0);
  t.strictSame({ ...there, seconds: 0 }, { ...here, seconds: 0 }, 'but for how long it took');
  await t.rejects(two.run('walkChunk', plan, { ...chunk, cell: 1 }), /no walks in cell 1/);
});
