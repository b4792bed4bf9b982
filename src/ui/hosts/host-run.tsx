/** The last steps of a host on the same timeline as a counterexample; the cursor follows the end until it is moved. */
import { useMemo } from 'preact/hooks';
import { query, setQuery } from '../router.js';
import { useCursor, useCursorKeys } from '../timeline/cursor.js';
import { lanesOf } from '../timeline/lanes.js';
import { LanesView } from '../timeline/lanes-view.js';
import { decode, stepOfTrace } from '../timeline/run.js';
import { StepPanel } from '../timeline/step-panel.js';
import { StepsTable } from '../timeline/steps-table.js';
import { isWide } from '../timeline/width.js';
import type { Lab } from './lab.js';
import '../timeline/timeline.css';

export function HostRun({ lab }: { readonly lab: Lab }) {
  const { trace, microSteps } = lab;
  const run = useMemo(() => {
    const statements = new Map(microSteps.map(({ id, statement }) => [id, statement]));
    const steps = trace.items.map((item) => stepOfTrace(item, statements));
    return decode(trace.registers_before ?? [], steps);
  }, [trace]);
  const lanes = useMemo(() => lanesOf(run), [run]);
  const cursor = useCursor(run, lanes, run.steps.length);
  useCursorKeys(run, lanes, cursor);
  if (run.steps.length === 0) {
    return <p class="muted">Nothing has happened on this host, so there is no timeline yet.</p>;
  }
  const props = { run, lanes, cursor };
  const isTable = !isWide.value || query.value.get('view') === 'table';
  return (
    <section aria-label="Timeline" class="host-run">
      <div class="row">
        <h2>The last {run.steps.length} micro-steps</h2>
        {query.value.has('step') && (
          <button type="button" class="small" onClick={() => setQuery({ step: undefined })}>
            Follow the end
          </button>
        )}
        {isWide.value && (
          <button
            type="button"
            class="small"
            aria-pressed={isTable}
            onClick={() => setQuery({ view: isTable ? undefined : 'table' })}
          >
            As a table
          </button>
        )}
      </div>
      <div class="run-body">
        <div class="run-face">{isTable ? <StepsTable {...props} /> : <LanesView {...props} />}</div>
        <StepPanel {...props} />
      </div>
    </section>
  );
}
