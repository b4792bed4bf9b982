/** What Linux's own code wrote in the hazards of the host side, as recordings: each is one of its kernel. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { findKernel } from '../../../src/pmu/kernels/index.js';
import { explanationOf, recordsOf, textOfWrites, type Write } from './recordings.js';

interface Row {
  readonly kernel: string;
  readonly cpu_model: string;
  readonly title: string;
  readonly steps: readonly {
    readonly action: string;
    readonly writes: readonly Write[];
    readonly after?: Readonly<Record<string, string | number>>;
  }[];
}

// The mediated vPMU is no part of the model, so its rows are left out.
const rows = (
  JSON.parse(readFileSync('test/conformance/host-hazards.json', 'utf8')) as Row[]
).filter(({ title }) => !title.startsWith('mediated vPMU'));

function textOf({ steps }: Row): string {
  // An event that is enabled later was disabled before, and what that wrote was not recorded.
  const isCut = steps.some(({ action }) => action.startsWith('enable '));
  const [first, ...others] = steps.map(({ writes }) => textOfWrites(writes));
  return [first, ...(isCut ? ['CPU:0 [LOST 4 EVENTS]'] : []), ...others].join('\n');
}

/** What a step has left behind: a bit of PEBS that perf does not want, a fixed counter that it takes to be off. */
const LEFT: Readonly<Record<string, (step: Row['steps'][number]) => boolean>> = {
  I1: ({ after = {} }) =>
    after.enabled === 1 && (number(after.pebs_enable) & ~number(after.pebs_enabled)) !== 0n,
  I16: ({ after = {} }) => after.enabled === 1 && after.fixed_ctr_ctrl !== after.fixed_ctrl_val,
};

const number = (value: string | number | undefined): bigint => BigInt(value ?? 0);

t.equal(rows.length, 87, 'all rows are there');
for (const row of rows) {
  const { kernel, cpu_model, title } = row;
  t.test(`${kernel}, ${cpu_model}: ${title}`, async (t) => {
    const given =
      findKernel(kernel) === undefined
        ? { kernel: 'linux-6.12.117', cpu_model, options: { group_throttle: true } }
        : { kernel, cpu_model };
    const found = explanationOf(recordsOf(textOf(row)), given);
    t.equal(found.verdict, 'explained');
    for (const [hazard, isLeft] of Object.entries(LEFT)) {
      if (row.steps.some(isLeft)) t.ok(found.violated.includes(hazard), `names ${hazard}`);
    }
  });
}
