/** Ctrl K: any screen or scenario by a few letters of its name. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { get } from '../api/client.js';
import { useLoaded } from '../load.js';
import { go } from '../router.js';
import { SCREENS } from '../screens.js';
import { Dialog } from '../widgets/dialog.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { scenarioAddress } from '../worlds/addresses.js';

interface Entry {
  readonly name: string;
  readonly detail: string;
  readonly address: string;
}

const SHOWN_MAX = 10;

export function FindDialog({ close }: { readonly close: () => void }) {
  const typed = useSignal('');
  const chosen = useSignal(0);
  const { value, problem, reload } = useLoaded('find', async (signal) => {
    const { items } = await get('/v1/scenarios', { query: { limit: 1000 }, signal });
    return items.filter(({ model }) => model !== undefined);
  });
  const entries = useMemo(
    () => [
      ...screenEntries(),
      ...(value ?? []).map((scenario) => ({
        name: scenario.id,
        detail: scenario.title,
        address: scenarioAddress(scenario),
      })),
    ],
    [value],
  );
  const words = typed.value.toLowerCase().split(/\s+/);
  const found = entries
    .filter(({ name, detail }) => {
      const all = `${name} ${detail}`.toLowerCase();
      return words.every((word) => all.includes(word));
    })
    .slice(0, SHOWN_MAX);
  const at = Math.min(chosen.value, found.length - 1);
  const open = ({ address }: Entry): void => {
    close();
    go(address);
  };
  const press = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const entry = found[at];
    if (event.key === 'Enter' && entry !== undefined) open(entry);
    else if (by !== 0) chosen.value = Math.max(0, Math.min(found.length - 1, at + by));
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Find a screen or a scenario" close={close}>
      <input
        type="search"
        aria-label="Name"
        placeholder="kernel, class of CPU, hazard …"
        role="combobox"
        aria-expanded="true"
        aria-controls="found"
        aria-activedescendant={found.length > 0 ? `found-${at}` : undefined}
        value={typed.value}
        onKeyDown={press}
        onInput={({ currentTarget }) => {
          typed.value = currentTarget.value;
          chosen.value = 0;
        }}
      />
      {problem !== undefined && <ProblemPanel problem={problem} retry={reload} />}
      <div class="found" id="found" role="listbox" aria-label="Found">
        {found.map((entry, index) => (
          <div
            key={entry.address + entry.name}
            id={`found-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onClick={() => open(entry)}
          >
            <b>{entry.name}</b> <span class="muted">{entry.detail}</span>
          </div>
        ))}
      </div>
      {found.length === 0 && <p class="muted">Nothing has all of these words.</p>}
    </Dialog>
  );
}

function screenEntries(): Entry[] {
  return SCREENS.flatMap(({ name, rail }) =>
    rail === undefined ? [] : [{ name, detail: 'screen', address: rail.address() }],
  );
}
