/** What a campaign is going to do: cells, skipped cells, chunks, and what is refused. */
import t, { type Test } from 'tap';
import { CampaignRequestSchema, CampaignSchema } from '../../../schemas/campaign.js';
import { SCENARIOS } from '../../../src/model/worlds/scenarios.js';
import { CPU_MODELS } from '../../../src/pmu/arch/cpu-models.js';
import { KERNELS } from '../../../src/pmu/kernels/index.js';
import { chunksOf, planCampaign } from '../../../src/service/campaigns/plan.js';
import { noTotals, resultsOf, summaryOf } from '../../../src/service/campaigns/totals.js';
import { ProblemError } from '../../../src/service/problem-error.js';
import { faults } from '../../faults.js';
import { RACE_LATE, RACE_PROMPT, request } from './lab.js';

const WORLDS = [...new Set(SCENARIOS.map(({ world }) => world))];

async function refusal(t: Test, asked: ReturnType<typeof request>): Promise<ProblemError> {
  try {
    await planCampaign(asked);
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  t.fail('it is refused');
  throw new Error('not refused');
}

t.test(
  'cells come by kernel, then CPU model, then scenario, under the name of the world',
  async (t) => {
    const { cells } = await planCampaign(
      request({
        kernels: ['pebs-v2', 'linux-7.2.6'],
        cpu_models: ['haswell-x', 'emerald-rapids'],
        scenarios: [RACE_LATE, 'h9-via-pt-bits-linger'],
      }),
    );
    t.strictSame(
      cells.map(({ kernel, cpuModel, scenario }) => `${kernel} ${cpuModel} ${scenario}`),
      ['pebs-v2-4of4', 'linux-7.2.6'].flatMap((kernel) =>
        ['haswell-x', 'emerald-rapids'].flatMap((model) =>
          ['main-race-late', 'h9-via-pt-bits-linger'].map(
            (scenario) => `${kernel} ${model} ${scenario}`,
          ),
        ),
      ),
    );
    t.match(cells[0]?.model, {
      kernel: 'pebs-v2-4of4',
      cpu_model: 'haswell-x',
      nmi_timing: 'late',
    });
    t.strictSame(cells[1]?.properties, ['I1'], 'invariants are walked for, marks are not');
    t.equal(new Set(cells.map(({ seed }) => seed)).size, cells.length, 'each has walks of its own');
  },
);

t.test('scenarios of one world, and the world itself, are one row', async (t) => {
  const of = (...scenarios: string[]) => planCampaign(request({ scenarios }));
  const byWorld = await of('main-race-prompt', 'h5-vmfail');
  t.strictSame(await of(RACE_PROMPT, 'h5-vmfail-k3'), byWorld);
  t.strictSame(
    await of('matrix-pebs-v1-k1-prompt', 'h5-vmfail-k1', 'main-race-prompt', 'h5-vmfail-k3'),
    byWorld,
  );
  t.strictSame(
    byWorld.cells.map(({ scenario }) => scenario),
    ['main-race-prompt', 'h5-vmfail'],
  );
});

t.test('a world that a CPU model does not allow is skipped with the reason', async (t) => {
  const plan = await planCampaign(
    request({
      cpu_models: ['skylake-sp', 'emerald-rapids'],
      scenarios: ['h7-migration-pebs-v1', RACE_PROMPT],
    }),
  );
  const [skipped, ...others] = plan.cells;
  t.match(skipped?.skipped, /guest takes a #GP.*IA32_DS_AREA does not exist/);
  t.ok(others.every((cell) => cell.skipped === null));
  t.ok(
    chunksOf(plan).every(({ cell }) => cell !== 0),
    'nobody walks there',
  );
  const totals = noTotals(plan);
  t.match(summaryOf(plan, totals), { cells: 4, skipped_cells: 1, total: 150, done: 0 });
  const { cells } = resultsOf(plan, totals, { id: 'camp_1a', state: 'running' });
  t.match(cells[0], { status: 'skipped', reason: skipped?.skipped, properties: [] });
});

t.test('unlimited drops the budgets of the actors, scenario keeps them', async (t) => {
  const matrix = { scenarios: ['h7-migration-pebs-v1'] };
  const unlimited = await planCampaign(request(matrix));
  const kept = await planCampaign(request(matrix, { budgets: 'scenario' }));
  t.strictSame(unlimited.cells[0]?.model.actors, [{ kind: 'migrate' }, { kind: 'guest_wrmsr' }]);
  t.strictSame(kept.cells[0]?.model.actors, [
    { kind: 'migrate', budget: 2 },
    { kind: 'guest_wrmsr', budget: 2 },
  ]);
});

t.test('invalid values are rejected, naming the field', async (t) => {
  for (const [asked, pointer, code] of [
    [request({ kernels: ['linux-7.2.6', 'nope'] }), '/matrix/kernels/1', 'unknown_name'],
    [request({ cpu_models: ['nope'] }), '/matrix/cpu_models/0', 'unknown_name'],
    [request({ scenarios: [RACE_LATE, 'A0'] }), '/matrix/scenarios/1', 'rule_violated'],
    [request({ kernels: ['pebs-v2', 'pebs-v2-4of4'] }), '/matrix/kernels/1', 'rule_violated'],
    [request({}, { walks: 1e6, steps_per_walk: 1e5 }), null, null],
    [
      request({ scenarios: WORLDS.slice(0, 11) }, { walks: 1_000_000, steps_per_walk: 100_000 }),
      '/walks',
      'rule_violated',
    ],
    [
      request({
        kernels: KERNELS.slice(0, 20).map(({ id }) => id),
        cpu_models: CPU_MODELS.map(({ id }) => id),
        scenarios: WORLDS.slice(0, 4),
      }),
      '/matrix',
      'rule_violated',
    ],
  ] as const) {
    if (pointer === null) {
      t.equal((await planCampaign(asked)).cells.length, 1);
      continue;
    }
    const { status, code: is, errors } = await refusal(t, asked);
    t.strictSame([status, is, errors[0]?.pointer], [422, code, pointer]);
  }
});

t.test('chunks cover every walk once, and their number is bounded', async (t) => {
  for (const [walks, steps_per_walk, chunkSteps] of [
    [50, 100, 1],
    [50, 100, 700],
    [50, 100, undefined],
    [1_000_000, 100_000, undefined],
    [1_000_000, 1, 1],
  ] as const) {
    const plan = await planCampaign(
      request({ scenarios: [RACE_LATE, RACE_PROMPT] }, { walks, steps_per_walk }),
    );
    const chunks = chunksOf(plan, chunkSteps);
    t.ok(chunks.length <= 20_000, `${chunks.length} chunks`);
    for (const cell of [0, 1]) {
      let next = 0;
      for (const chunk of chunks.filter((one) => one.cell === cell)) {
        if (chunk.first_walk !== next || chunk.walks < 1) t.fail('a gap or an overlap');
        next += chunk.walks;
      }
      t.equal(next, walks);
    }
  }
});

t.test('requests and resources have the documented shape', async (t) => {
  const { seed: _, budgets: __, ...least } = request();
  t.strictSame(faults(CampaignRequestSchema, { ...least, seed: 0, budgets: 'scenario' }), []);
  for (const wrong of [
    { walks: 0 },
    { walks: 1_000_001 },
    { steps_per_walk: 100_001 },
    { seed: 2 ** 32 },
    { seed: -1 },
    { budgets: 'none' },
    { name: '<b>' },
    { matrix: { ...least.matrix, kernels: [] } },
    { matrix: { ...least.matrix, kernels: ['linux-7.2.6', 'linux-7.2.6'] } },
    { matrix: { ...least.matrix, cpu_models: Array.from({ length: 21 }, (_, at) => `m${at}`) } },
    { matrix: { ...least.matrix, scenarios: Array.from({ length: 51 }, (_, at) => `s${at}`) } },
  ]) {
    t.not(faults(CampaignRequestSchema, { ...least, ...wrong }).length, 0, JSON.stringify(wrong));
  }
  for (const schema of [CampaignRequestSchema, CampaignSchema]) {
    const { examples } = schema as { examples?: unknown[] };
    t.strictSame(faults(schema, examples?.[0]), []);
  }
});
