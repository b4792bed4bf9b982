/** What is on screen as files of other tools. */
import { useSignal } from '@preact/signals';
import { send } from '../api/client.js';
import { asProblem, type Problem } from '../api/problem.js';
import { useLoaded } from '../load.js';
import { currentAddress } from '../router.js';
import { CopyButton } from '../widgets/copy.js';
import { Dialog } from '../widgets/dialog.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import type { Take } from './header-content.js';
import { openInPerfetto } from './perfetto.js';

interface Props {
  readonly title: string;
  readonly link: string | undefined;
  readonly take: readonly Take[];
  readonly close: () => void;
}

export function TakeDialog({ title, take, link, close }: Props) {
  const problem = useSignal<Problem | undefined>(undefined);
  const address = window.location.origin + (link ?? currentAddress());
  // At hand before it is asked for: see src/ui/frame/perfetto.ts.
  const forPerfetto = take.find(({ isForPerfetto }) => isForPerfetto)?.address;
  const trace = useLoaded(forPerfetto, async (signal) =>
    (await send('GET', forPerfetto!, { signal }, '*/*')).arrayBuffer(),
  );
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
        <CopyButton text={address} label="Copy link" />
        <CopyButton text={`[${title}](${address})`} label="Copy as Markdown" />
        {trace.value !== undefined && (
          <button type="button" onClick={() => openInPerfetto(trace.value!, title)}>
            Open in Perfetto
          </button>
        )}
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
