/** Which two kernels, and under which schedule; the choice becomes the address. */
import { useSignal } from '@preact/signals';
import { get } from '../api/client.js';
import { useLoaded } from '../load.js';
import { addressOfPlace, go } from '../router.js';
import { NameSelect } from '../widgets/name-select.js';
import type { Source } from './source.js';

export function Chooser({ source }: { readonly source: Source }) {
  const { a, b, scenario, script, cpuModel } = source;
  const form = useSignal({ a, b, scenario, script: script ?? '', cpuModel });
  const names = useLoaded('kernels', (signal) =>
    get('/v1/kernels', { query: { limit: 100 }, signal }),
  );
  // What the address says may be another name of a kernel, which the list does not have.
  const ids = [...new Set([...(names.value?.items.map(({ id }) => id) ?? []), a, b])];
  const set = (change: Partial<typeof form.value>): void => {
    form.value = { ...form.value, ...change };
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    const now = form.value;
    const hasScript = now.script.trim() !== '';
    go(
      addressOfPlace('/compare', {
        a: now.a,
        b: now.b,
        ...(hasScript ? { cpu: now.cpuModel, script: now.script } : { scenario: now.scenario }),
      }),
    );
  };
  return (
    <form class="form-row" onSubmit={submit}>
      {(['a', 'b'] as const).map((side) => (
        <NameSelect
          key={side}
          label={`Kernel ${side.toUpperCase()}`}
          value={form.value[side]}
          names={ids}
          choose={(name) => set({ [side]: name })}
        />
      ))}
      <label class="field">
        Shortest violation of
        <input
          value={form.value.scenario}
          onInput={({ currentTarget }) => set({ scenario: currentTarget.value })}
        />
      </label>
      <button type="submit" class="primary">
        Compare
      </button>
      <details class="own-script" open={script !== undefined}>
        <summary>A script of one's own</summary>
        <label class="field">
          Actions, as JSON
          <textarea
            class="mono"
            rows={5}
            spellcheck={false}
            value={form.value.script}
            onInput={({ currentTarget }) => set({ script: currentTarget.value })}
          />
        </label>
        <label class="field">
          CPU model
          <input
            value={form.value.cpuModel}
            onInput={({ currentTarget }) => set({ cpuModel: currentTarget.value })}
          />
        </label>
      </details>
    </form>
  );
}
