/** The table of the main race: a row for each kernel, two columns for each class of CPU. */
import { useMemo } from 'preact/hooks';
import { useGrid } from '../widgets/grid.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { searches } from '../worlds/searches.js';
import { Cell, differs, type Scenario } from './cell.js';
import { useCosts } from './costs.js';
import { Marked, marks, toggleMark, useMarkKeys } from './marks.js';
import { batch, batchProblem, runAll, stopAll } from './run-all.js';

const CLASSES = [
  { id: 'k1', name: 'K1', means: 'no PEBS isolation' },
  { id: 'k2', name: 'K2', means: 'isolation, no PEBS in guests' },
  { id: 'k3', name: 'K3', means: 'isolation, and PEBS in guests' },
  { id: 'k4', name: 'K4', means: 'no PEBS through the DS area' },
] as const;
const TIMINGS = ['prompt', 'late'] as const;
const COLUMNS = CLASSES.flatMap((cls) => TIMINGS.map((timing) => ({ cls, timing })));

interface Row {
  readonly kernel: string;
  readonly cells: readonly (Scenario | undefined)[];
}

function rowsOf(scenarios: readonly Scenario[]): Row[] {
  const matrix = scenarios.filter(({ id }) => id.startsWith('matrix-'));
  const byId = new Map(matrix.map((scenario) => [scenario.id, scenario]));
  return [...new Set(matrix.map(({ kernel }) => kernel))].map((kernel) => ({
    kernel,
    cells: COLUMNS.map(({ cls, timing }) => byId.get(`matrix-${kernel}-${cls.id}-${timing}`)),
  }));
}

export function MainRace({ scenarios }: { readonly scenarios: readonly Scenario[] }) {
  const rows = useMemo(() => rowsOf(scenarios), [scenarios]);
  const costs = useCosts(rows.map(({ kernel }) => kernel));
  const { gridProps, cellProps } = useGrid<HTMLTableElement>(rows.length, COLUMNS.length);
  useMarkKeys((cell) => {
    const [row = -1, column = -1] = cell.split(':').map(Number);
    return rows[row]?.cells[column];
  });
  const known = searches.value;
  const all = rows.flatMap(({ cells }) => cells.filter((cell) => cell !== undefined));
  const missing = all.filter(({ id }) => !known.has(id)).map(({ id }) => id);
  const surprises = all.filter((scenario) => differs(scenario, known.get(scenario.id)));

  return (
    <>
      <Invitation />
      {surprises.length > 0 && <Surprises scenarios={surprises} />}
      {batchProblem.value !== undefined && <ProblemPanel problem={batchProblem.value} />}
      <div class="matrix-head">
        <Legend />
        <RunAll missing={missing} />
      </div>
      <Marked />
      <table class="matrix" role="grid" aria-label="Verdicts of the main race" {...gridProps}>
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" rowSpan={2} scope="col">
              Kernel
            </th>
            {CLASSES.map(({ id, name, means }) => (
              <th role="columnheader" key={id} colSpan={2} scope="colgroup">
                {name} <small>{means}</small>
              </th>
            ))}
            <th role="columnheader" rowSpan={2} scope="col" class="cost">
              MSR writes <small>a round trip</small>
            </th>
          </tr>
          <tr role="row">
            {COLUMNS.map(({ cls, timing }) => (
              <th role="columnheader" key={cls.id + timing} scope="col" class="timing">
                {timing}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map(({ kernel, cells }, row) => (
            <tr role="row" key={kernel}>
              <th role="rowheader" scope="row">
                {kernel}
              </th>
              {cells.map((scenario, column) => {
                const { cls, timing } = COLUMNS[column]!;
                const label = `${cls.name} ${timing}`;
                return (
                  <td role="gridcell" key={label} data-label={label}>
                    {scenario === undefined ? (
                      <span class="cell none">
                        <span aria-hidden="true">–</span>
                        <span class="unseen">no such CPU</span>
                      </span>
                    ) : (
                      <Cell
                        scenario={scenario}
                        search={known.get(scenario.id)}
                        label={`${kernel}, ${label}`}
                        cell={{
                          ...cellProps(row, column),
                          'data-marked': marks.value.includes(scenario) || undefined,
                          onClick: (event: MouseEvent) => {
                            if (!event.shiftKey) return;
                            event.preventDefault();
                            toggleMark(scenario);
                          },
                        }}
                      />
                    )}
                  </td>
                );
              })}
              <td role="gridcell" class="cost number">
                {costs.get(kernel) ?? ''}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Invitation() {
  return (
    <div class="invitation">
      <p>
        <strong>New here?</strong> Watch an NMI at the wrong moment leave a bit stuck, on a host of
        your own, in three clicks.
      </p>
      <a class="button primary" href="/ui/story">
        Show me
      </a>
    </div>
  );
}

function Legend() {
  return (
    <p class="legend muted">
      <span>
        <b data-kind="violated">▲</b> a bit gets stuck, in so many steps
      </span>
      <span>
        <b data-kind="holds">✓</b> holds, in so many states
      </span>
      <span>△ ○ the same, expected and not searched here</span>
      <span>◐ searching</span>
      <span>? undecided</span>
      <span class="mark-hint">
        <kbd>x</kbd> marks a cell, to compare two
      </span>
    </p>
  );
}

function RunAll({ missing }: { readonly missing: readonly string[] }) {
  const running = batch.value;
  if (running !== undefined) {
    return (
      <div class="row">
        <progress value={running.done} max={running.total} aria-label="Searches done" />
        <span class="number">
          {running.done} of {running.total}
        </span>
        <button type="button" onClick={stopAll}>
          Stop
        </button>
      </div>
    );
  }
  if (missing.length === 0) return <p class="muted">All are searched.</p>;
  return (
    <button type="button" onClick={() => runAll(missing)}>
      Search the {missing.length} that are only expected
    </button>
  );
}

/** The loudest thing there is: the model or the catalogue is wrong. */
function Surprises({ scenarios }: { readonly scenarios: readonly Scenario[] }) {
  return (
    <div class="problem" role="alert">
      <h2>
        {scenarios.length === 1 ? 'A search differs' : `${scenarios.length} searches differ`} from
        what is expected
      </h2>
      <ul>
        {scenarios.map((scenario) => (
          <li key={scenario.id}>
            <Cell scenario={scenario} search={searches.value.get(scenario.id)} label={scenario.id}>
              {' '}
              {scenario.id}, expected {scenario.expected.verdict}
            </Cell>
          </li>
        ))}
      </ul>
    </div>
  );
}
