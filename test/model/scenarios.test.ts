/** The catalogue of worlds: each is searched in full, and what is written down of it must be what comes out. */
import t from 'tap';
import { type Scenario as ScenarioItem, ScenarioPageSchema } from '../../schemas/scenario.js';
import type { ExploreResult } from '../../src/explorer/result.js';
import { type SearchOptions, search } from '../../src/explorer/search.js';
import { createModel } from '../../src/model/machine-model.js';
import { MATRIX_OUTCOMES } from '../../src/model/worlds/matrix.js';
import { MATRIX_SCENARIOS, SCENARIOS, type Scenario } from '../../src/model/worlds/scenarios.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import { bodyOf, build } from '../helper.js';
import { table } from '../routes/lab.js';
import { noExpectation } from './no-expectation.js';

/** A kernel that is new in the registry has scenarios with nothing written down. */
const KNOWN = SCENARIOS.filter(({ counts }) => counts !== undefined);

const found = new Map<string, ExploreResult>();

function searchAll({ model, properties }: Scenario, options: SearchOptions = {}): ExploreResult {
  return search(createModel({ model, properties }), options);
}

/** A scenario's search without folding, done once. */
function unfolded(scenario: Scenario): ExploreResult {
  const result = found.get(scenario.id) ?? searchAll(scenario);
  found.set(scenario.id, result);
  return result;
}

function verdicts({ properties }: ExploreResult): Record<string, string> {
  return Object.fromEntries(properties.map(({ id, verdict }) => [id, verdict]));
}

t.test('every scenario is searched to its end and comes to the expected verdicts', async (t) => {
  for (const scenario of SCENARIOS) {
    const result = unfolded(scenario);
    t.ok(result.complete, `${scenario.id} is searched to its end`);
    if (scenario.counts === undefined) t.comment(noExpectation(scenario, result));
    else t.strictSame(verdicts(result), scenario.expected, scenario.id);
  }
});

t.test('every scenario has as many states, transitions and levels as is pinned', async (t) => {
  for (const scenario of KNOWN) {
    const { distinctStates, totalStates, depth } = unfolded(scenario);
    const { id, counts } = scenario;
    t.strictSame({ distinctStates, totalStates, depth }, counts, `the counts in the row of ${id}`);
  }
});

t.test(
  'every kernel is in the matrix, and what is written down there is of a kernel',
  async (t) => {
    const kernels = new Set(MATRIX_SCENARIOS.map(({ model }) => model.kernel));
    t.strictSame(
      [...kernels],
      KERNELS.map(({ id }) => id),
    );
    const ids = new Set(MATRIX_SCENARIOS.map(({ id }) => id));
    for (const [kernel, outcomes] of Object.entries(MATRIX_OUTCOMES)) {
      for (const platform of Object.keys(outcomes)) {
        const id = `matrix-${kernel}-${platform.toLowerCase()}-late`;
        t.ok(ids.has(id), `${id} exists`);
      }
    }
  },
);

t.test('folding changes no verdict, no minimal length and no counterexample', async (t) => {
  const foldable = SCENARIOS.filter(
    ({ model, properties }) => createModel({ model, properties }).folding.length > 0,
  );
  t.ok(
    foldable.length >= 5,
    'some worlds have interchangeable parts and nobody who goes through them in order',
  );
  let smaller = 0;
  for (const scenario of foldable) {
    const [folded, whole] = [searchAll(scenario, { fold: true }), unfolded(scenario)];
    const evidence = ({ properties }: ExploreResult) =>
      properties.map(({ id, verdict, evidence }) => ({
        id,
        verdict,
        length: evidence?.depth,
        states: evidence?.states,
        paths: evidence?.paths,
        groups: evidence?.groups.length,
      }));
    t.strictSame(evidence(folded), evidence(whole), scenario.id);
    t.ok(
      (folded.distinctStates ?? 0) <= (whole.distinctStates ?? 0),
      `${scenario.id} is no larger`,
    );
    smaller += (folded.distinctStates ?? 0) < (whole.distinctStates ?? 0) ? 1 : 0;
  }
  t.ok(smaller >= 4, 'folding makes most of them smaller');
});

t.test('every violated scenario has a shortest counterexample and says so', async (t) => {
  for (const scenario of SCENARIOS) {
    for (const { id, verdict, evidence } of unfolded(scenario).properties) {
      if (verdict !== 'violated') continue;
      t.ok(evidence?.minimal && evidence.exhaustive, `${scenario.id} ${id}: all shallower levels`);
      const lengths = new Set(
        evidence?.groups.flatMap((group) => group.listed.map((p) => p.length)),
      );
      t.strictSame([...lengths], [evidence?.depth], `${scenario.id} ${id}: all of one length`);
    }
  }
});

/**
 * §7.3; on K1 "landed + e2" is open "only via a PMI already pending", which is what late NMIs are. Releases before
 * architectural PEBS take no precise event on K4's model.
 */
const SHEET = table(`
  kernel              | K1     | K2   | K3    | K4
  linux-7.2.6         | open   | shut | open  | shut
  linux-6.12.107      | open   | shut | open  | -
  linux-6.1.187       | open   | shut | open  | -
  pebs-v1             | open   | shut | shut  | shut
  pebs-v2-4of4        | open   | shut | shut  | shut
  linux-7.3.4         | open   | shut | shut  | shut
  linux-6.18.55       | open   | shut | shut  | -
  linux-6.12.117      | open   | shut | shut  | -
  linux-6.6.158       | open   | shut | shut  | -
  linux-6.1.192       | open   | shut | shut  | -
  zero-global-ctrl-e1 | open   | shut | shut  | shut
  zero-global-ctrl-e2 | late   | shut | shut  | shut
  zero-global-ctrl-e3 | shut   | shut | shut  | shut
  post-exit-fixup     | shut   | shut | shut  | shut
`);
const CLASSES = { K1: 'haswell-x', K2: 'ice-lake', K3: 'emerald-rapids', K4: 'diamond-rapids' };
const CELLS: Readonly<Record<string, string>> = {
  'violated violated': 'open',
  'holds violated': 'late',
  'holds holds': 'shut',
};

t.test(
  'the matrix, as the service hands it out and as it is found, is that of the sheet',
  async (t) => {
    const app = await build(t);
    const page = bodyOf(t, await app.inject('/v1/scenarios/matrix?limit=1000'), ScenarioPageSchema);
    t.equal(page.items.length, MATRIX_SCENARIOS.length);
    const cell = (
      of: (item: ScenarioItem) => string | undefined,
      kernel: string,
      model: string,
    ) => {
      const at = (timing: string): string => {
        const items = page.items.filter(
          (one) =>
            one.kernel === kernel && one.cpu_model === model && one.model?.nmi_timing === timing,
        );
        t.equal(items.length, 1, `${kernel} ${model} ${timing} is one scenario`);
        return of(items[0]!) ?? 'missing';
      };
      return CELLS[`${at('prompt')} ${at('late')}`];
    };
    const searched = ({ id }: ScenarioItem): string | undefined => {
      const scenario = MATRIX_SCENARIOS.find((one) => one.id === id);
      return scenario && verdicts(unfolded(scenario)).I1;
    };
    for (const { kernel = '', ...row } of SHEET) {
      for (const [platform, usual] of Object.entries(CLASSES)) {
        // The one model of class K3 on 6.1.
        const model = kernel.startsWith('linux-6.1.') && platform === 'K3' ? 'ice-lake-sp' : usual;
        if (row[platform] === '-') {
          t.notOk(
            page.items.some((one) => one.kernel === kernel && one.cpu_model === model),
            `${kernel} on ${platform} has no scenario`,
          );
          continue;
        }
        const said = cell((item) => item.expected.properties?.I1, kernel, model);
        t.equal(said, row[platform], `${kernel} on ${platform}, as handed out`);
        t.equal(cell(searched, kernel, model), row[platform], `${kernel} on ${platform}, as found`);
      }
    }
  },
);

t.test(
  'on v1, PEBS_ENABLE is immune but a migrated vCPU keeps stale list entries; v2 has none',
  async (t) => {
    const of = (kernel: string): ExploreResult => {
      const scenario = SCENARIOS.find(({ id }) => id === `h7-migration-${kernel}`);
      if (scenario === undefined) throw new Error(`there is no H7 on ${kernel}`);
      return unfolded(scenario);
    };
    t.match(verdicts(of('pebs-v1')), { I5h: 'violated', I8: 'violated' });
    t.match(verdicts(of('pebs-v2')), { I5h: 'holds', I8: 'holds' });
    t.match(verdicts(of('linux-6.12.117')), { I5h: 'holds', I8: 'holds' });
  },
);

t.test('a scenario that the service lists says what is pinned', async (t) => {
  const app = await build(t);
  const page = bodyOf(t, await app.inject('/v1/scenarios?limit=1000'), ScenarioPageSchema);
  for (const scenario of KNOWN) {
    const item = page.items.find(({ id }) => id === scenario.id);
    const { distinctStates, totalStates, depth } = scenario.counts ?? {};
    t.match(
      item?.expected,
      {
        properties: scenario.expected,
        distinct_states: distinctStates,
        total_states: totalStates,
        depth,
      },
      scenario.id,
    );
  }
});
