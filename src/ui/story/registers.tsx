/** The register that the story is about, large: what hardware has, what perf wants, and what waits in the load areas. */
import type { Api } from '../api/client.js';
import { Bit, bitState } from '../widgets/bit.js';

const REGISTER = 'IA32_PEBS_ENABLE';

export function Registers({ msrs }: { readonly msrs: readonly Api['MsrView'][] }) {
  const register = msrs.find(({ name }) => name === REGISTER);
  if (register === undefined) return null;
  const { value, desired, vm_entry_load, vm_exit_load } = register;
  const rows = [
    ['hardware', value],
    ['perf wants', desired],
    ['VM-entry loads', vm_entry_load],
    ['VM-exit loads', vm_exit_load],
  ] as const;
  const state = bitState(isSet(value), isSet(desired));
  return (
    <section class="panel register" aria-label={REGISTER}>
      <header>
        <h2 class="mono">{REGISTER}</h2>
      </header>
      <div class="inside">
        <div class="register-bit" data-state={state}>
          <Bit state={state} label="PMC0" />
          <span>
            PMC0 <strong>{state}</strong>
          </span>
        </div>
        <dl>
          {rows.map(([what, held]) => (
            <div key={what}>
              <dt>{what}</dt>
              <dd>
                <code>
                  {held === undefined ? 'not in the area' : held.replace(/^0x0+(?=.)/, '0x')}
                </code>
              </dd>
            </div>
          ))}
        </dl>
      </div>
    </section>
  );
}

/** PMC0 is the lowest bit. */
function isSet(value: string): boolean {
  return (Number.parseInt(value.slice(-1), 16) & 1) === 1;
}
