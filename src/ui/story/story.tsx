/** The first visit: a host of one's own, a guest on it, and an NMI at the wrong moment. */
import { useMemo } from 'preact/hooks';
import { useHeader } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { query, setQuery } from '../router.js';
import { useCursor, useCursorKeys } from '../timeline/cursor.js';
import { lanesOf } from '../timeline/lanes.js';
import { LanesView } from '../timeline/lanes-view.js';
import { decode, stepOfTrace } from '../timeline/run.js';
import { StepPanel } from '../timeline/step-panel.js';
import { StepsTable } from '../timeline/steps-table.js';
import { isWide } from '../timeline/width.js';
import { useAct } from '../widgets/acts.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { counterexampleAddress } from '../worlds/addresses.js';
import { KERNELS, makeCommands, makeHost, readHost, runCommands, runGuest } from './lab.js';
import { Registers } from './registers.js';
import '../timeline/timeline.css';
import './story.css';

type State = Awaited<ReturnType<typeof readHost>>;

export function Story() {
  const host = query.value.get('host') ?? undefined;
  const { problem, isBusy, act } = useAct();
  const state = useLoaded(host, (signal) => readHost(host!, signal));
  const kernel = state.value?.item.kernel ?? KERNELS.faulty;
  const hasRun = (state.value?.item.micro_steps ?? 0) > 0 && ranGuest(state.value);

  useHeader({
    title: `${kernel} · your host`,
    curl: [...makeCommands(kernel), ...runCommands()],
  });

  const make = (on: string) => async (): Promise<void> => {
    const { id } = await makeHost(on);
    setQuery({ host: id, step: undefined, pin: undefined });
  };
  const run = async (): Promise<void> => {
    await runGuest(host!);
    state.reload();
  };
  const repeat = async (): Promise<void> => {
    const { id } = await makeHost(KERNELS.repaired);
    await runGuest(id);
    setQuery({ host: id, step: undefined, pin: undefined });
  };

  return (
    <div class="screen">
      <h1>How a bit gets stuck</h1>
      <ol class="acts">
        <li data-done={host !== undefined || undefined}>
          <p>
            A host runs <code>{kernel}</code>, and <code>perf record -e cycles:pp</code> samples it
            with PEBS on counter PMC0.
          </p>
          <button
            type="button"
            class={host === undefined ? 'primary' : ''}
            disabled={isBusy.value || host !== undefined}
            onClick={() => act(make(KERNELS.faulty))}
          >
            1. Make such a host
          </button>
        </li>
        <li data-done={hasRun || undefined}>
          <p>
            A guest runs on it. KVM has just put PEBS_ENABLE into its load areas when an NMI
            throttles the event.
          </p>
          <button
            type="button"
            class={state.value !== undefined && !hasRun ? 'primary' : ''}
            disabled={isBusy.value || state.value === undefined || hasRun}
            onClick={() => act(run)}
          >
            2. Run the guest, with that NMI
          </button>
        </li>
      </ol>
      {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
      {state.problem !== undefined && (
        <ProblemPanel problem={state.problem} retry={() => setQuery({ host: undefined })} />
      )}
      {state.value !== undefined && <Registers msrs={state.value.msrs} />}
      {hasRun && state.value !== undefined && (
        <Ending state={state.value} isBusy={isBusy.value} repeat={() => act(repeat)} />
      )}
    </div>
  );
}

function ranGuest(state: State | undefined): boolean {
  return state?.trace.items.some(({ at }) => at === 'v6_exit_load') ?? false;
}

interface EndingProps {
  readonly state: State;
  readonly isBusy: boolean;
  readonly repeat: () => void;
}

function Ending({ state, isBusy, repeat }: EndingProps) {
  const { item, msrs, trace, statements } = state;
  const run = useMemo(() => {
    const steps = trace.items.map((one) => stepOfTrace(one, statements));
    return decode(trace.registers_before ?? [], steps, 'I1');
  }, [trace]);
  const lanes = useMemo(() => lanesOf(run), [run]);
  const load = run.steps.findIndex(({ at }) => at === 'v6_exit_load') + 1;
  const cursor = useCursor(run, lanes, load);
  useCursorKeys(run, lanes, cursor);
  const stuck = msrs.find(({ name }) => name === 'IA32_PEBS_ENABLE')?.stuck ?? [];
  return (
    <>
      <div class="ending" data-stuck={stuck.length > 0 || undefined} role="status">
        {stuck.length > 0 ? (
          <p>
            <strong>{stuck.join(', ')} is stuck.</strong> VM-exit has loaded the value that KVM had
            put aside; perf has cleared the bit in the meantime, and nothing clears it again.
          </p>
        ) : (
          <p>
            <strong>Nothing is stuck</strong> on {item.kernel}: the series “Don't write PEBS_ENABLED
            on KVM transitions” keeps the register out of the load areas.
          </p>
        )}
        <div class="row">
          {item.kernel === KERNELS.faulty && (
            <button type="button" disabled={isBusy} onClick={repeat}>
              The same on {KERNELS.repaired}
            </button>
          )}
          <a
            class="button"
            href={counterexampleAddress(`matrix-${KERNELS.faulty}-k3-late`, 'I1-0')}
          >
            The shortest way there
          </a>
          <a class="button" href="/ui/">
            All kernels
          </a>
        </div>
      </div>
      <div class="run-body">
        <div class="run-face">
          {isWide.value ? (
            <LanesView run={run} lanes={lanes} cursor={cursor} />
          ) : (
            <StepsTable run={run} lanes={lanes} cursor={cursor} />
          )}
        </div>
        <StepPanel run={run} lanes={lanes} cursor={cursor} />
      </div>
    </>
  );
}
