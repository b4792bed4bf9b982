/** What is on screen as files of other tools. */
import { useSignal } from '@preact/signals';
import { send } from '../api/client.js';
import { asProblem, type Problem } from '../api/problem.js';
import { currentAddress } from '../router.js';
import { CopyButton } from '../widgets/copy.js';
import { Dialog } from '../widgets/dialog.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import type { Take } from './header-content.js';

interface Props {
  readonly take: readonly Take[];
  readonly close: () => void;
}

export function TakeDialog({ take, close }: Props) {
  const problem = useSignal<Problem | undefined>(undefined);
  const save = async (one: Take): Promise<void> => {
    problem.value = undefined;
    try {
      // Through fetch, because a link could not carry the token.
      const response = await send('GET', one.address, {}, '*/*');
      download(await response.blob(), one.name);
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  return (
    <Dialog title="Take it along" close={close}>
      <div class="row">
        {take.map((one) => (
          <button type="button" key={one.address} onClick={() => save(one)}>
            {one.label}
          </button>
        ))}
      </div>
      <div class="row">
        <CopyButton text={window.location.origin + currentAddress()} label="Copy link" />
      </div>
      {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
    </Dialog>
  );
}

function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
