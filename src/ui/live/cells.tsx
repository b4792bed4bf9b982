/** The cells of a campaign: kernels against CPUs, each the rate of what goes wrong most often, with its 95 % interval. */

import { type Api, get } from '../api/client.js';
import { useLoaded } from '../load.js';
import { addressOfPlace } from '../router.js';
import { count } from '../widgets/numbers.js';
import { portableKey } from '../worlds/portable.js';

type Results = Api['CampaignResults'];
type Cell = Api['CampaignCell'];
type Model = Api['ExplorationModel'];
/** The world in which a walk was taken. */
type WorldOf = (cell: Cell) => Model | undefined;

interface Props {
  readonly results: Results;
  readonly campaign: Api['Campaign'];
}

export function Cells({ results, campaign: { budgets } }: Props) {
  const known = useLoaded('worlds', (signal) =>
    get('/v1/scenarios', { query: { limit: 1000 }, signal }),
  );
  const worldOf: WorldOf = ({ scenario, kernel, cpu_model }) => {
    const model = known.value?.items.find(
      (one) => one.world === scenario && one.model !== undefined,
    )?.model;
    if (model === undefined) return undefined;
    const { actors = [] } = model;
    const unlimited = { actors: actors.map(({ kind }) => ({ kind })) };
    return { ...model, kernel, cpu_model, ...(budgets === 'unlimited' ? unlimited : {}) };
  };
  const scenarios = [...new Set(results.cells.map(({ scenario }) => scenario))];
  return (
    <div class="cells-of">
      {scenarios.map((scenario) => (
        <ScenarioCells
          key={scenario}
          scenario={scenario}
          worldOf={worldOf}
          cells={results.cells.filter((cell) => cell.scenario === scenario)}
        />
      ))}
    </div>
  );
}

function ScenarioCells(props: {
  readonly scenario: string;
  readonly cells: readonly Cell[];
  readonly worldOf: WorldOf;
}) {
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
                worldOf={props.worldOf}
                cell={props.cells.find((one) => one.kernel === kernel && one.cpu_model === cpu)}
              />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface CellProps {
  readonly cell: Cell | undefined;
  readonly cpu: string;
  readonly worldOf: WorldOf;
}

function OneCell({ cell, cpu, worldOf }: CellProps) {
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
          <FirstWalk model={worldOf(cell)} property={worst.id} {...worst.first} />
        </small>
      )}
    </td>
  );
}

interface FirstProps extends Pick<Api['CampaignViolation'], 'walk' | 'steps' | 'path'> {
  readonly model: Model | undefined;
  readonly property: string;
}

/** The first walk that went wrong, on the timeline. */
function FirstWalk({ model, property, walk, steps, path }: FirstProps) {
  const { value } = useLoaded(model && JSON.stringify(model), () => portableKey({ model: model! }));
  const words = `walk ${walk}, ${count(steps, 'step')}`;
  return value === undefined ? (
    words
  ) : (
    <a href={addressOfPlace(`/${value}/run/${path}`, { property })}>{words}</a>
  );
}

function percent(rate: number): string {
  return `${Number((rate * 100).toPrecision(3))} %`;
}
