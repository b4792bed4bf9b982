/** One explanation: by which schedule each kernel makes the recording, or where it stops being one; it can be run on a host. */
import { type Api, get, post } from '../api/client.js';
import { useLoaded } from '../load.js';
import { addressOfPlace, go } from '../router.js';
import { useAct } from '../widgets/acts.js';
import { whole } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';

type Kernel = Api['KernelExplanation'];

export function ExplanationView({ listed }: { readonly listed: Api['Explanation'] }) {
  const { id, state } = listed;
  // Lists have no schedules.
  const full = useLoaded(`${id} ${state}`, (signal) =>
    get('/v1/explanations/{explanation}', { path: { explanation: id }, signal }),
  );
  const { progress, records, kernels, error } = full.value ?? listed;
  const isOver = state !== 'queued' && state !== 'running';
  return (
    <div class="inside finding">
      {!isOver && (
        <p role="status">
          {state}: {progress.kernels} of {progress.of} kernels, {whole(progress.records)}
          {records !== undefined && ` of ${whole(records)}`} records
        </p>
      )}
      {error !== undefined && <p class="field-problem">{error}</p>}
      {isOver && kernels.length === 0 && <p class="muted">{state}</p>}
      {kernels.map((kernel) => (
        <KernelView key={kernel.kernel} found={kernel} records={records} />
      ))}
    </div>
  );
}

const GLYPHS = { explained: '✓', unexplained: '✕', undecided: '?' } as const;

function KernelView({
  found,
  records,
}: {
  readonly found: Kernel;
  readonly records?: number | undefined;
}) {
  const { kernel, verdict, reason, inference, reached, steps, violated, unreached, story } = found;
  return (
    <article aria-label={kernel}>
      <h3>
        <span aria-hidden="true">{GLYPHS[verdict]}</span> <code>{kernel}</code> {verdict}
      </h3>
      <p>
        {whole(reached)}
        {records !== undefined && ` of ${whole(records)}`} records in {whole(steps)} steps
        {reason !== null && `: ${reason}`}
      </p>
      {violated.length > 0 && <p class="violated">▲ violated on the way: {violated.join(' ')}</p>}
      {unreached !== undefined && (
        <p>
          Line {unreached.line} is not reached: <code>{unreached.recorded}</code>
          {unreached.instead.length > 0 && <>; instead: {unreached.instead.join(', ')}</>}
        </p>
      )}
      <Replay found={found} />
      {inference.length > 0 && (
        <details>
          <summary>What was taken to be so</summary>
          <ul class="plain-list">
            {inference.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </details>
      )}
      {story !== undefined && (
        <details>
          <summary>The schedule</summary>
          <pre class="text">{story}</pre>
        </details>
      )}
    </article>
  );
}

/** The schedule on a host of its own, where the timeline shows it. */
function Replay({ found: { host, script } }: { readonly found: Kernel }) {
  const { problem, isBusy, act } = useAct();
  if (host === undefined || script === undefined) return null;
  const run = async (): Promise<void> => {
    const { id } = await post('/v1/hosts', { body: host });
    await post('/v1/hosts/{host}/scripts', { path: { host: id }, body: { actions: script } });
    go(addressOfPlace(`/h/${id}`));
  };
  return (
    <>
      <div class="row">
        <button type="button" disabled={isBusy.value} onClick={() => act(run)}>
          Run the schedule on a host
        </button>
      </div>
      {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
    </>
  );
}
