/**
 * The results as KTAP, version 1 (Documentation/dev-tools/ktap.rst): a test for each kernel, and in it a test for each
 * of its cells. What is said of a test stands in front of its result line.
 */
import type { CampaignCell, CampaignResults } from '../../../../schemas/campaign.js';
import { firstLine, incompleteReason, rateLine, violatedOf } from './prose.js';

export function campaignKtap(results: CampaignResults): string {
  const kernels = [...new Set(results.cells.map(({ kernel }) => kernel))];
  const { id, state, seed, walks, steps_per_walk } = results;
  const about = { campaign: id, state, seed, walks, steps_per_walk };
  return [
    'KTAP version 1',
    `1..${kernels.length}`,
    comment(`pebslab ${words(about)}`),
    ...kernels.flatMap((kernel, at) => kernelLines(results, kernel, at + 1)),
    '',
  ].join('\n');
}

function kernelLines(results: CampaignResults, kernel: string, number: number): string[] {
  const cells = results.cells.filter((cell) => cell.kernel === kernel);
  const inside = [
    'KTAP version 1',
    `# Subtest: ${testName(kernel)}`,
    `1..${cells.length}`,
    ...cells.flatMap((cell, at) => cellLines(results, cell, at + 1)),
  ];
  const outcome = kernelOutcome(results, cells);
  return [...inside.map((line) => `  ${line}`), resultLine(number, kernel, outcome)];
}

function cellLines(results: CampaignResults, cell: CampaignCell, number: number): string[] {
  const told = violatedOf(cell)
    .flatMap((property) => [rateLine(property, cell), firstLine(property, results)])
    .filter((line) => line !== null);
  const name = `${cell.cpu_model}.${cell.scenario}`;
  return [...told.map(comment), resultLine(number, name, cellOutcome(results, cell))];
}

/** Whether a test passes, and what stands behind the `#`. */
interface Outcome {
  readonly ok: boolean;
  readonly note: string;
}

function cellOutcome(results: CampaignResults, cell: CampaignCell): Outcome {
  switch (cell.status) {
    case 'clean':
      return { ok: true, note: '' };
    case 'skipped':
      return { ok: true, note: `SKIP ${cell.reason ?? ''}` };
    case 'incomplete':
      return { ok: false, note: `TIMEOUT ${incompleteReason(cell, results)}` };
    case 'violated': {
      const walk = violatedOf(cell).find(({ first }) => first !== undefined)?.first?.walk;
      return {
        ok: false,
        note: words({ seed: results.seed, ...(walk === undefined ? {} : { walk }) }),
      };
    }
  }
}

/** A kernel fails when one of its cells does, and is skipped when all of them are. */
function kernelOutcome(results: CampaignResults, cells: readonly CampaignCell[]): Outcome {
  const having = (status: CampaignCell['status']): number =>
    cells.filter((cell) => cell.status === status).length;
  if (having('violated') > 0) {
    return { ok: false, note: words({ seed: results.seed, violated: having('violated') }) };
  }
  if (having('incomplete') > 0) {
    return { ok: false, note: `TIMEOUT ${results.state}, ${having('incomplete')} incomplete` };
  }
  return having('skipped') === cells.length
    ? { ok: true, note: 'SKIP every cell is skipped' }
    : { ok: true, note: '' };
}

function resultLine(number: number, name: string, { ok, note }: Outcome): string {
  const line = `${ok ? 'ok' : 'not ok'} ${number} ${testName(name)}`;
  return note === '' ? line : `${line} # ${oneLine(note)}`;
}

function comment(text: string): string {
  return `# ${oneLine(text)}`;
}

function words(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** A `#` would begin a directive, and a name is one word. */
function testName(name: string): string {
  return name.replace(/[^\w.+-]+/g, '_');
}

/** A line break would begin a line of its own, which a text from elsewhere could make a result of. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
