/** MSR writes per round trip in the steady state: semantics.md §6 (invariant I14). */
import t from 'tap';
import { findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import { COST_SCENARIOS } from '../../src/pmu/cost-cases/cost-scenarios.js';
import { measureWrites, msrWrites } from '../../src/pmu/cost-cases/write-costs.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import { present } from './machine.js';

const KERNELS = ['upstream-base', 'pebs-v1', 'linux-6.1.192', 'pebs-v2', 'linux-6.12.117'] as const;

// X+E+L of the sheet's columns "baseline", "v1", "S61", "v2 = landed" (twice), then F.
const K3_ROWS: Readonly<Record<string, readonly number[]>> = {
  A0: [0, 0, 0, 0, 0, 0],
  A1: [2, 0, 2, 0, 0, 0],
  A1c: [4, 0, 4, 0, 0, 0],
  A2: [2, 0, 2, 0, 0, 2],
  B: [5, 0, 2, 0, 0, 2],
  Bc: [7, 0, 4, 0, 0, 2],
  C: [7, 4, 4, 4, 4, 2],
  C3: [5, 2, 2, 2, 2, 2],
  D: [7, 0, 4, 0, 0, 2],
  E: [2, 0, 2, 0, 0, 0],
};

/** K1 lists IA32_PEBS_ENABLE whenever perf wants a bit in it, with every kernel. */
const K1_PEBS = ['B', 'Bc', 'C', 'C3', 'D'];

function measure(
  scenario: string,
  model: string,
  kernel: string,
): { writes: number; field: number } {
  const found = present(
    COST_SCENARIOS.find(({ id }) => id === scenario),
    scenario,
  );
  const counted = measureWrites(
    found,
    present(findCpuModel(model), model),
    present(findKernel(kernel), kernel),
  );
  return { writes: msrWrites(counted), field: counted.vmcs_field };
}

t.test('every scenario of the sheet is there', async (t) => {
  t.strictSame(
    COST_SCENARIOS.map(({ id }) => id),
    Object.keys(K3_ROWS),
  );
});

for (const [scenario, row] of Object.entries(K3_ROWS)) {
  t.test(`${scenario} costs what the sheet counts`, async (t) => {
    // The row C3 is about Sapphire Rapids, where PMC0 runs at precise_ip 3.
    const k3 =
      scenario === 'C3' ? ['sapphire-rapids'] : ['emerald-rapids', 'ice-lake-sp', 'granite-rapids'];
    for (const [at, kernel] of KERNELS.entries()) {
      for (const model of k3) {
        // On 6.1 Ice Lake-SP is the one model of class K3; the others are K2, as Ice Lake is everywhere.
        const isK2 = kernel === 'linux-6.1.192' && model !== 'ice-lake-sp';
        t.strictSame(
          measure(scenario, model, kernel),
          isK2 ? measure(scenario, 'ice-lake', kernel) : { writes: row[at], field: row[5] },
          `${kernel} on ${model}`,
        );
      }
      const k1 = K1_PEBS.includes(scenario) ? 3 : 0;
      t.equal(measure(scenario, 'haswell-x', kernel).writes, k1, `${kernel} without isolation`);
      t.equal(
        measure(scenario, 'ice-lake', kernel).writes,
        0,
        `${kernel} with isolation, without guest PEBS`,
      );
    }
  });
}
