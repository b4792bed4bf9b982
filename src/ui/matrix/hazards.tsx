/** The other scenarios: hazards, candidates against them, and what was publicly reported; each world with its kernels. */
import { useMemo } from 'preact/hooks';
import { searches } from '../worlds/searches.js';
import { Cell, differs, type Scenario } from './cell.js';

interface World {
  readonly name: string;
  readonly title: string;
  readonly scenarios: Scenario[];
}

function worldsOf(scenarios: readonly Scenario[]): World[] {
  const worlds = new Map<string, World>();
  for (const scenario of scenarios) {
    if (scenario.model === undefined || scenario.id.startsWith('matrix-')) continue;
    const title = titleOf(scenario);
    const known = worlds.get(title) ?? { name: scenario.world, title, scenarios: [] };
    known.scenarios.push(scenario);
    worlds.set(title, known);
  }
  return [...worlds.values()];
}

/** Titles end with the kernel, which the cell says. */
function titleOf({ title, kernel }: Scenario): string {
  return title.replace(new RegExp(`,? (on )?${kernel.replaceAll('.', '\\.')}\\b`), '').trim();
}

export function Hazards({ scenarios }: { readonly scenarios: readonly Scenario[] }) {
  const worlds = useMemo(() => worldsOf(scenarios), [scenarios]);
  const known = searches.value;
  return (
    <ul class="worlds">
      {worlds.map(({ title, scenarios }) => (
        <li key={title}>
          <h2>{title}</h2>
          <div class="world-cells">
            {scenarios.map((scenario) => (
              <Cell
                key={scenario.id}
                scenario={scenario}
                search={known.get(scenario.id)}
                label={title}
              >
                <span class="kernel">{scenario.kernel}</span>
                {differs(scenario, known.get(scenario.id)) && (
                  <strong>, expected {scenario.expected.verdict}</strong>
                )}
              </Cell>
            ))}
          </div>
        </li>
      ))}
    </ul>
  );
}
