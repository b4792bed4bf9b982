/** A new search or campaign: a form, and beside it the JSON that it sends, which may be changed as well. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { get, post } from '../api/client.js';
import { Problem } from '../api/problem.js';
import { curl } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { useAct } from '../widgets/acts.js';
import { CopyButton } from '../widgets/copy.js';
import { NameSelect } from '../widgets/name-select.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { loadNames } from '../worlds/names.js';
import type { Campaign, Exploration } from './work.js';

const KINDS = [
  { id: 'explorations', label: 'Search a scenario' },
  { id: 'campaigns', label: 'Take random walks' },
] as const;
type Kind = (typeof KINDS)[number]['id'];

interface Form {
  readonly kind: Kind;
  readonly scenario: string;
  readonly compareWith: string;
  readonly seconds: string;
  readonly kernels: readonly string[];
  readonly cpuModels: readonly string[];
  readonly walks: string;
}

const FIRST: Form = {
  kind: 'explorations',
  scenario: 'matrix-linux-7.2.6-k3-late',
  compareWith: '',
  seconds: '',
  kernels: ['linux-7.2.6', 'linux-7.3.4'],
  cpuModels: ['emerald-rapids'],
  walks: '1000',
};

function bodyOf(form: Form): object {
  if (form.kind === 'explorations') {
    return {
      scenario: form.scenario,
      ...(form.compareWith === '' ? {} : { compare_with: form.compareWith }),
      ...(form.seconds === '' ? {} : { bounds: { seconds: Number(form.seconds) } }),
    };
  }
  return {
    matrix: { kernels: form.kernels, cpu_models: form.cpuModels, scenarios: [form.scenario] },
    walks: Number(form.walks),
    steps_per_walk: 200,
  };
}

interface Props {
  readonly started: (kind: Kind, item: Exploration | Campaign) => void;
}

export function NewRun({ started }: Props) {
  const form = useSignal(FIRST);
  /** What was typed into the JSON; the form writes it anew when it is changed. */
  const typed = useSignal<string | undefined>(undefined);
  const { problem, isBusy, act } = useAct();
  const names = useLoaded('names', async (signal) => {
    const [scenarios, others] = await Promise.all([
      get('/v1/scenarios', { query: { limit: 1000 }, signal }),
      loadNames(signal),
    ]);
    const ids = scenarios.items.filter(({ model }) => model !== undefined).map(({ id }) => id);
    return { scenarios: ids, ...others };
  });
  const set = (change: Partial<Form>): void => {
    form.value = { ...form.value, ...change };
    typed.value = undefined;
  };
  const { kind, scenario, compareWith, seconds, kernels, cpuModels, walks } = form.value;
  const json = typed.value ?? JSON.stringify(bodyOf(form.value), null, 2);
  const command = useMemo(() => commandOf(kind, json), [kind, json]);
  const { scenarios = [], kernels: allKernels = [], cpuModels: allCpus = [] } = names.value ?? {};

  const submit = (event: Event): void => {
    event.preventDefault();
    void act(async () => {
      const body = parse(json);
      started(
        kind,
        kind === 'explorations'
          ? await post('/v1/explorations', { body: body as never })
          : await post('/v1/campaigns', { body: body as never }),
      );
    });
  };

  return (
    <section class="panel" aria-labelledby="new-run">
      <header>
        <h2 id="new-run">New run</h2>
      </header>
      <form class="inside new-run" onSubmit={submit}>
        <div class="fields">
          <fieldset class="row plain-set">
            <legend class="unseen">What to run</legend>
            {KINDS.map(({ id, label }) => (
              <label class="choice" key={id}>
                <input
                  type="radio"
                  name="kind"
                  checked={kind === id}
                  onChange={() => set({ kind: id })}
                />
                {label}
              </label>
            ))}
          </fieldset>
          <label class="field">
            Scenario
            <input
              list="scenarios"
              value={scenario}
              onInput={({ currentTarget }) => set({ scenario: currentTarget.value })}
            />
          </label>
          <datalist id="scenarios">
            {scenarios.map((id) => (
              <option key={id} value={id} />
            ))}
          </datalist>
          {kind === 'explorations' ? (
            <>
              <NameSelect
                label="Compare with"
                value={compareWith}
                names={allKernels}
                none="no other kernel"
                choose={(compareWith) => set({ compareWith })}
              />
              <label class="field">
                Seconds at most
                <input
                  type="number"
                  min={1}
                  max={3600}
                  placeholder="as the scenario says"
                  value={seconds}
                  onInput={({ currentTarget }) => set({ seconds: currentTarget.value })}
                />
              </label>
            </>
          ) : (
            <>
              <Many
                label="Kernels"
                all={allKernels}
                chosen={kernels}
                choose={(kernels) => set({ kernels })}
              />
              <Many
                label="CPU models"
                all={allCpus}
                chosen={cpuModels}
                choose={(cpuModels) => set({ cpuModels })}
              />
              <label class="field">
                Walks in each cell
                <input
                  type="number"
                  min={1}
                  max={1_000_000}
                  value={walks}
                  onInput={({ currentTarget }) => set({ walks: currentTarget.value })}
                />
              </label>
            </>
          )}
        </div>
        <div class="fields">
          <label class="field json">
            POST /v1/{kind}
            <textarea
              class="mono"
              spellcheck={false}
              rows={9}
              value={json}
              onInput={({ currentTarget }) => {
                typed.value = currentTarget.value;
              }}
            />
          </label>
          {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
          {names.problem !== undefined && (
            <ProblemPanel problem={names.problem} retry={names.reload} />
          )}
          <div class="row">
            <button type="submit" class="primary" disabled={isBusy.value}>
              Start
            </button>
            <CopyButton text={command} label="Copy as curl" />
          </div>
        </div>
      </form>
    </section>
  );
}

interface ManyProps {
  readonly label: string;
  readonly all: readonly string[];
  readonly chosen: readonly string[];
  readonly choose: (chosen: readonly string[]) => void;
}

function Many({ label, all, chosen, choose }: ManyProps) {
  return (
    <label class="field">
      {label}
      <select
        multiple
        size={5}
        onChange={({ currentTarget }) =>
          choose([...currentTarget.selectedOptions].map(({ value }) => value))
        }
      >
        {all.map((id) => (
          <option key={id} selected={chosen.includes(id)}>
            {id}
          </option>
        ))}
      </select>
    </label>
  );
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Problem({ title: 'This is not JSON', detail: (error as Error).message });
  }
}

function commandOf(kind: Kind, json: string): string {
  try {
    return curl(`/v1/${kind}`, JSON.parse(json));
  } catch {
    return '';
  }
}
