/** A kernel that is new in the registry is in the matrix by itself, with no expectation, and tests print what comes out. */
import t from 'tap';
import { search } from '../../src/explorer/search.js';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import type { KernelVariant } from '../../src/pmu/kernels/kernel-variant.js';
import { linux734 } from '../../src/pmu/kernels/landed.js';
import { SUPPORT } from '../../src/pmu/kernels/pmu-support.js';
import { noExpectation } from './no-expectation.js';

/** The landed series on a tree that knows no EPT-friendly PEBS but on Ice Lake-SP, and no architectural PEBS. */
const MADE_UP: KernelVariant = {
  ...linux734,
  id: 'made-up',
  aliases: ['fictitious'],
  support: SUPPORT['6.1.187'],
};
// Before anything that is made of the registry is loaded.
(KERNELS as KernelVariant[]).push(MADE_UP);
const { MATRIX_SCENARIOS, findScenario } = await import('../../src/model/worlds/scenarios.js');
const { createModel } = await import('../../src/model/machine-model.js');
const { matrixScenarios } = await import('../../src/service/catalogue.js');

const made = MATRIX_SCENARIOS.filter(({ model }) => model.kernel === MADE_UP.id);

t.test('it takes part on every class that it knows, and nothing is expected', async (t) => {
  t.strictSame(
    made.map(({ id, model }) => `${id} on ${model.cpu_model}`),
    [
      'matrix-made-up-k1-prompt on haswell-x',
      'matrix-made-up-k1-late on haswell-x',
      'matrix-made-up-k2-prompt on ice-lake',
      'matrix-made-up-k2-late on ice-lake',
      'matrix-made-up-k3-prompt on ice-lake-sp',
      'matrix-made-up-k3-late on ice-lake-sp',
    ],
  );
  t.equal(findScenario('matrix-fictitious-k3-late')?.id, 'matrix-made-up-k3-late');
  const shown = matrixScenarios.filter(({ kernel }) => kernel === MADE_UP.id);
  t.equal(shown.length, made.length);
  for (const { id, world, expected } of shown) {
    t.strictSame(expected, {}, id);
    t.match(world, /^main-race-(prompt|late)$/, id);
  }
});

t.test('what comes out is printed, in the words of a row', async (t) => {
  const printed = made.map((scenario) => noExpectation(scenario, search(createModel(scenario))));
  const rest = 'guest_entered witnessed, event_throttled witnessed';
  t.strictSame(printed, [
    `no expectation yet: matrix-made-up-k1-prompt: I1 violated, ${rest}; 288, 571, 56`,
    `no expectation yet: matrix-made-up-k1-late: I1 violated, ${rest}; 354, 789, 58`,
    `no expectation yet: matrix-made-up-k2-prompt: I1 holds, ${rest}; 151, 304, 33`,
    `no expectation yet: matrix-made-up-k2-late: I1 holds, ${rest}; 201, 461, 35`,
    `no expectation yet: matrix-made-up-k3-prompt: I1 holds, ${rest}; 157, 318, 35`,
    `no expectation yet: matrix-made-up-k3-late: I1 holds, ${rest}; 209, 483, 37`,
  ]);
});
