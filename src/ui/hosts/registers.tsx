/** The registers of each CPU: hardware beside what perf wants, and what VM-entry and VM-exit will load. */
import type { Api } from '../api/client.js';
import { Bit } from '../widgets/bit.js';

export function Registers({ cpus }: { readonly cpus: readonly Api['Msrs'][] }) {
  return (
    <section class="panel" aria-labelledby="registers">
      <header>
        <h2 id="registers">Registers</h2>
      </header>
      <div class="inside host-cpus">
        {cpus.map(({ cpu, mode, running_vcpu, msrs }) => (
          <table key={cpu} class="list msrs">
            <caption>
              CPU {cpu}: {mode.replace('_', ' ')}
              {mode !== 'shut_down' && ' mode'}
              {running_vcpu !== null && `, runs ${running_vcpu}`}
            </caption>
            <thead>
              <tr>
                <th scope="col">Register</th>
                <th scope="col">Hardware</th>
                <th scope="col">perf wants</th>
                <th scope="col">VM-entry loads</th>
                <th scope="col">VM-exit loads</th>
              </tr>
            </thead>
            <tbody>
              {msrs.map((view) => (
                <Register key={view.name} view={view} />
              ))}
            </tbody>
          </table>
        ))}
      </div>
    </section>
  );
}

function Register({ view }: { readonly view: Api['MsrView'] }) {
  const { name, value, desired, stuck, lost, vm_entry_load, vm_exit_load } = view;
  return (
    <tr data-wrong={stuck.length + lost.length > 0 || undefined}>
      <th scope="row">
        {name}
        {[
          ...stuck.map((bit) => [bit, 'stuck'] as const),
          ...lost.map((bit) => [bit, 'lost'] as const),
        ].map(([bit, state]) => (
          <span key={bit} class="odd-bit">
            <Bit state={state} label={null} /> {bit} {state}
          </span>
        ))}
      </th>
      <Value of={value} label="hardware" />
      <Value of={desired} label="perf wants" />
      <Value of={vm_entry_load} label="VM-entry loads" />
      <Value of={vm_exit_load} label="VM-exit loads" />
    </tr>
  );
}

function Value({ of, label }: { readonly of: string | undefined; readonly label: string }) {
  return (
    <td data-label={label}>{of !== undefined && <code>{of.replace(/^0x0+(?=.)/, '0x')}</code>}</td>
  );
}
