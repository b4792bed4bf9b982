/** Whether a recording is a behaviour of a kernel: asked for kernel by kernel, with the schedule that makes it. */
import { useSignal } from '@preact/signals';
import { get, post } from '../api/client.js';
import { asProblem, type Problem } from '../api/problem.js';
import { useLoaded } from '../load.js';
import { NameSelect } from '../widgets/name-select.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { loadNames } from '../worlds/names.js';
import { ExplanationView } from './explanation.js';

const SHOWN = 10;

export function Explanations({ observation }: { readonly observation: string }) {
  const path = { observation };
  const kernel = useSignal('linux-7.2.6');
  const cpu = useSignal('');
  const problem = useSignal<Problem | undefined>(undefined);
  const list = useLoaded(
    `${observation} explanations`,
    (signal) =>
      get('/v1/observations/{observation}/explanations', {
        path,
        query: { limit: SHOWN },
        signal,
      }),
    { changes: ({ type }) => type.startsWith('explanation.') },
  );
  const names = useLoaded('names', loadNames);
  const ask = async (event: Event): Promise<void> => {
    event.preventDefault();
    problem.value = undefined;
    const body = { kernel: kernel.value, ...(cpu.value === '' ? {} : { cpu_model: cpu.value }) };
    try {
      await post('/v1/observations/{observation}/explanations', { path, body });
      list.reload();
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  return (
    <section class="panel" aria-labelledby="explanations">
      <header>
        <h2 id="explanations">Is this how a kernel behaves?</h2>
      </header>
      <form class="inside form-row" onSubmit={ask}>
        <NameSelect
          label="Kernel"
          value={kernel.value}
          names={names.value?.kernels}
          choose={(name) => {
            kernel.value = name;
          }}
        />
        <NameSelect
          label="CPU model"
          value={cpu.value}
          names={names.value?.cpuModels}
          none="what the text identifies"
          choose={(name) => {
            cpu.value = name;
          }}
        />
        <button type="submit" class="primary">
          Explain it
        </button>
      </form>
      {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
      {list.problem !== undefined && <ProblemPanel problem={list.problem} retry={list.reload} />}
      {list.value?.items.map((one) => (
        <ExplanationView key={one.id} listed={one} />
      ))}
    </section>
  );
}
