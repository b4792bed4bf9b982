/** The keys that act on this screen, and their switch. */
import { Dialog } from '../widgets/dialog.js';
import { areOn, keys, switchKeys } from './keys.js';

const NAMES: Readonly<Record<string, string>> = {
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
};

export function KeysDialog({ close }: { readonly close: () => void }) {
  return (
    <Dialog title="Keys on this screen" close={close}>
      <dl class="keys-list">
        {keys.value.map(({ key, does }) => (
          <>
            <dt>
              <kbd>{NAMES[key] ?? key}</kbd>
            </dt>
            <dd>{does}</dd>
          </>
        ))}
      </dl>
      <label class="row">
        <input
          type="checkbox"
          checked={areOn.value}
          onChange={({ currentTarget }) => switchKeys(currentTarget.checked)}
        />
        Single letters act
      </label>
    </Dialog>
  );
}
