/**
 * The results as JUnit XML, in the form CI servers agree on: a suite for each kernel, a case for each cell. A violated
 * cell is a failure, a skipped one is skipped, and one whose walks were not all taken is an error.
 */
import type { CampaignCell, CampaignResults } from '../../../../schemas/campaign.js';
import { firstLine, incompleteReason, rateLine, violatedOf } from './prose.js';

export function campaignJunit(results: CampaignResults): string {
  const kernels = [...new Set(results.cells.map(({ kernel }) => kernel))];
  const suites = kernels.map((kernel) => suite(results, kernel));
  const name = results.name ?? results.id;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name, ...counts(results.cells), time: 0 })}>`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}

function suite(results: CampaignResults, kernel: string): string {
  const cells = results.cells.filter((cell) => cell.kernel === kernel);
  const { id, state, seed, walks, steps_per_walk } = results;
  const properties = { campaign: id, state, seed, walks, steps_per_walk, kernel };
  return [
    `  <testsuite${attributes({ name: kernel, ...counts(cells), time: 0 })}>`,
    '    <properties>',
    ...Object.entries(properties).map(
      ([name, value]) => `      <property${attributes({ name, value })}/>`,
    ),
    '    </properties>',
    ...cells.map((cell) => testCase(results, cell)),
    '  </testsuite>',
  ].join('\n');
}

function testCase(results: CampaignResults, cell: CampaignCell): string {
  const names = attributes({
    classname: `pebslab.${cell.kernel}.${cell.cpu_model}`,
    name: cell.scenario,
    time: 0,
  });
  const outcome = outcomeOf(results, cell);
  return outcome === null
    ? `    <testcase${names}/>`
    : `    <testcase${names}>\n      ${outcome}\n    </testcase>`;
}

function outcomeOf(results: CampaignResults, cell: CampaignCell): string | null {
  switch (cell.status) {
    case 'clean':
      return null;
    case 'skipped':
      return `<skipped${attributes({ message: cell.reason ?? '' })}/>`;
    case 'incomplete':
      return `<error${attributes({ type: 'incomplete', message: incompleteReason(cell, results) })}/>`;
    case 'violated': {
      const violated = violatedOf(cell);
      const message = violated.map((property) => rateLine(property, cell)).join('; ');
      const text = violated
        .flatMap((property) => [rateLine(property, cell), firstLine(property, results)])
        .filter((line) => line !== null)
        .join('\n');
      return `<failure${attributes({ type: 'violated', message })}>${escaped(text)}</failure>`;
    }
  }
}

function counts(cells: readonly CampaignCell[]) {
  const having = (status: CampaignCell['status']): number =>
    cells.filter((cell) => cell.status === status).length;
  return {
    tests: cells.length,
    failures: having('violated'),
    errors: having('incomplete'),
    skipped: having('skipped'),
  };
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Without the characters that XML 1.0 cannot hold in any form. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
