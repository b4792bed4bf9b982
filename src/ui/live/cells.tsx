/** The cells of a campaign: kernels against CPUs, each the rate of what goes wrong most often, with its 95 % interval. */
import type { Api } from '../api/client.js';

type Results = Api['CampaignResults'];
type Cell = Api['CampaignCell'];

export function Cells({ results }: { readonly results: Results }) {
  const scenarios = [...new Set(results.cells.map(({ scenario }) => scenario))];
  return (
    <div class="cells-of">
      {scenarios.map((scenario) => (
        <ScenarioCells
          key={scenario}
          scenario={scenario}
          cells={results.cells.filter((cell) => cell.scenario === scenario)}
        />
      ))}
    </div>
  );
}

function ScenarioCells(props: { readonly scenario: string; readonly cells: readonly Cell[] }) {
  const cpus = [...new Set(props.cells.map(({ cpu_model }) => cpu_model))];
  const kernels = [...new Set(props.cells.map(({ kernel }) => kernel))];
  return (
    <table class="cells">
      <caption>{props.scenario}</caption>
      <thead>
        <tr>
          <th scope="col">Kernel</th>
          {cpus.map((cpu) => (
            <th scope="col" key={cpu}>
              {cpu}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {kernels.map((kernel) => (
          <tr key={kernel}>
            <th scope="row">{kernel}</th>
            {cpus.map((cpu) => (
              <OneCell
                key={cpu}
                cpu={cpu}
                cell={props.cells.find((one) => one.kernel === kernel && one.cpu_model === cpu)}
              />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function OneCell({ cell, cpu }: { readonly cell: Cell | undefined; readonly cpu: string }) {
  if (cell === undefined) return <td data-label={cpu}>–</td>;
  const worst = cell.properties.reduce<Cell['properties'][number] | undefined>(
    (most, one) => (most === undefined || one.rate > most.rate ? one : most),
    undefined,
  );
  if (cell.status === 'skipped' || cell.walks === 0 || worst === undefined) {
    return (
      <td class="muted" data-label={cpu} title={cell.reason}>
        {cell.status}
      </td>
    );
  }
  const isViolated = worst.violated_walks > 0;
  return (
    <td data-status={cell.status} data-label={cpu}>
      <span class={isViolated ? 'violated' : undefined}>
        {isViolated ? `▲ ${worst.id} ` : '✓ '}
        {percent(worst.rate)}
      </span>{' '}
      <small class="muted">
        {percent(worst.rate_low)}–{percent(worst.rate_high)}
      </small>
      {worst.first !== undefined && (
        <small>
          walk {worst.first.walk}, {worst.first.steps} steps
        </small>
      )}
    </td>
  );
}

function percent(rate: number): string {
  return `${Number((rate * 100).toPrecision(3))} %`;
}
