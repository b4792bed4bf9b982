/** The state: its registers beside what perf wants, and whether a violation can still be avoided. */
import type { Api } from '../api/client.js';
import { Bit, type BitState } from '../widgets/bit.js';
import { RegionMark } from './region.js';

type View = Api['MsrView'];

export function StatePanel({ state }: { readonly state: Api['WalkState'] }) {
  const { region, steps_to_violation, violated, registers, property } = state;
  return (
    <section class="panel state" aria-label="State">
      <header>
        <h2>
          <RegionMark region={region} steps={steps_to_violation} isLong />
        </h2>
        {property !== null && <span class="muted">{property}</span>}
      </header>
      <div class="inside">
        {state.regions_unknown !== undefined && <p class="muted">{state.regions_unknown}</p>}
        {violated.length > 0 && <p class="violated">▲ violated: {violated.join(' ')}</p>}
        {registers.map(({ cpu, micro_step, operation, mode, msrs }) => (
          <div key={cpu} class="cpu">
            <h3>
              CPU {cpu}: <code>{micro_step}</code>{' '}
              <span class="muted">
                {operation}, {mode} mode
              </span>
            </h3>
            <dl>
              {msrs.map((msr) => (
                <Register key={msr.name} view={msr} />
              ))}
            </dl>
          </div>
        ))}
        <Everything state={state} />
      </div>
    </section>
  );
}

/** With more, the value says it better. */
const BITS_MAX = 4;

function bitsOf({ bits, stuck, lost }: View): { name: string; state: BitState }[] {
  const odd = [
    ...stuck.map((name) => ({ name, state: 'stuck' as const })),
    ...lost.map((name) => ({ name, state: 'lost' as const })),
  ];
  const right = bits.filter((name) => !stuck.includes(name));
  if (right.length + odd.length > BITS_MAX) return odd;
  return [...right.map((name) => ({ name, state: 'set' as const })), ...odd];
}

function Register({ view }: { readonly view: View }) {
  const { name, value, desired, vm_entry_load, vm_exit_load } = view;
  return (
    <div class="msr">
      <dt class="mono">{name}</dt>
      <dd>
        {bitsOf(view).map((bit) => (
          <span key={bit.name} class="named-bit">
            <Bit state={bit.state} label={null} /> {bit.name} {bit.state}
          </span>
        ))}
        <code>{short(value)}</code>
        {desired !== undefined && desired !== value && (
          <>
            {' '}
            wanted <code>{short(desired)}</code>
          </>
        )}
        {vm_entry_load !== undefined && (
          <span class="muted areas">
            VM-entry loads <code>{short(vm_entry_load)}</code>
            {vm_exit_load !== undefined && (
              <>
                , VM-exit <code>{short(vm_exit_load)}</code>
              </>
            )}
          </span>
        )}
      </dd>
    </div>
  );
}

function short(hex: string): string {
  return hex.replace(/^0x0+(?=.)/, '0x');
}

function Everything({ state }: { readonly state: Api['WalkState'] }) {
  const parts = [
    ['Machine', state.machine],
    ...state.cpus.map((lines, at) => [`CPU ${at}`, lines] as const),
    ...state.vcpus.map((lines, at) => [`vCPU ${at}`, lines] as const),
    ...state.events.map((lines, at) => [`Event ${at}`, lines] as const),
  ] as const;
  return (
    <details>
      <summary>Everything in this state</summary>
      {parts.map(([name, lines]) =>
        lines.length === 0 ? null : (
          <div key={name}>
            <h3>{name}</h3>
            <ul class="facts">
              {lines.map((line) => (
                <li key={line}>
                  <code>{line}</code>
                </li>
              ))}
            </ul>
          </div>
        ),
      )}
    </details>
  );
}
