/** The simulated hosts of this service, and a form to make one; or one of them. */
import { useSignal } from '@preact/signals';
import { get, post } from '../api/client.js';
import { asProblem, type Problem } from '../api/problem.js';
import { curl, useHeader } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { addressOfPlace, go } from '../router.js';
import { List } from '../widgets/list.js';
import { NameSelect } from '../widgets/name-select.js';
import { moment, whole } from '../widgets/numbers.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';
import { loadNames } from '../worlds/names.js';
import { HostView } from './host.js';
import './hosts.css';

const SHOWN = 50;

export function Hosts({ parts }: { readonly parts: { readonly host?: string } }) {
  return parts.host === undefined ? <AllHosts /> : <HostView key={parts.host} id={parts.host} />;
}

function AllHosts() {
  const hosts = useLoaded(
    'hosts',
    (signal) => get('/v1/hosts', { query: { limit: SHOWN }, signal }),
    { changes: ({ type }) => type === 'host.created' || type === 'host.deleted' },
  );
  useHeader({ title: 'Hosts', curl: [curl('/v1/hosts')] });
  const { value, problem, reload } = hosts;
  return (
    <div class="screen">
      <h1>Simulated hosts</h1>
      {problem !== undefined && <ProblemPanel problem={problem} retry={reload} />}
      {value === undefined && problem === undefined && (
        <Waiting what="The hosts are loading" lines={4} />
      )}
      {value?.items.length === 0 && (
        <p>
          There is none yet. Make one below, or let <a href="/ui/story">the story</a> make one and
          leave a bit stuck on it.
        </p>
      )}
      {value !== undefined && value.items.length > 0 && (
        <List
          heads={['Host', 'Kernel', 'CPU', 'Events', 'vCPUs', 'Micro-steps', 'Made']}
          rows={value.items.map((host) => ({
            key: host.id,
            cells: [
              <a href={`/ui/h/${host.id}`}>{host.name ?? host.id}</a>,
              host.kernel,
              `${host.cpus > 1 ? `${host.cpus} × ` : ''}${host.cpu_model} (${host.platform_class})`,
              host.events,
              host.vcpus,
              whole(host.micro_steps),
              moment(host.created_at),
            ],
          }))}
        />
      )}
      {value?.has_more && <p class="muted">Only the newest {SHOWN} are listed.</p>}
      <NewHost />
    </div>
  );
}

function NewHost() {
  const form = useSignal({
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    cpus: '1',
    name: '',
  });
  const problem = useSignal<Problem | undefined>(undefined);
  const names = useLoaded('names', loadNames);
  const { cpu_model, kernel, cpus, name } = form.value;
  const set = (change: Partial<typeof form.value>): void => {
    form.value = { ...form.value, ...change };
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    problem.value = undefined;
    const body = { cpu_model, kernel, cpus: Number(cpus), ...(name === '' ? {} : { name }) };
    try {
      const host = await post('/v1/hosts', { body });
      go(addressOfPlace(`/h/${host.id}`));
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  return (
    <section class="panel" aria-labelledby="new-host">
      <header>
        <h2 id="new-host">New host</h2>
      </header>
      <form class="inside form-row" onSubmit={submit}>
        <NameSelect
          label="Kernel"
          value={kernel}
          names={names.value?.kernels}
          choose={(kernel) => set({ kernel })}
        />
        <NameSelect
          label="CPU model"
          value={cpu_model}
          names={names.value?.cpuModels}
          choose={(cpu_model) => set({ cpu_model })}
        />
        <label class="field">
          CPUs
          <input
            type="number"
            min={1}
            max={8}
            value={cpus}
            onInput={({ currentTarget }) => set({ cpus: currentTarget.value })}
          />
        </label>
        <label class="field">
          Name, if it is to have one
          <input value={name} onInput={({ currentTarget }) => set({ name: currentTarget.value })} />
        </label>
        <button type="submit" class="primary">
          Make it
        </button>
      </form>
      {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
    </section>
  );
}
