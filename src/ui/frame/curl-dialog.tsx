/** The same without the page. */
import { authorization } from '../api/token.js';
import { CopyButton } from '../widgets/copy.js';
import { Dialog } from '../widgets/dialog.js';

interface Props {
  readonly commands: readonly string[];
  readonly close: () => void;
}

export function CurlDialog({ commands, close }: Props) {
  const needsToken = Object.keys(authorization()).length > 0;
  return (
    <Dialog title="The same as curl" close={close}>
      {commands.map((command) => (
        <div class="command" key={command}>
          <pre>
            <code>{command}</code>
          </pre>
          <CopyButton text={command} label="Copy" />
        </div>
      ))}
      {needsToken && (
        <p class="muted">
          Add <code>-H 'authorization: Bearer …'</code> with your token; it is not copied.
        </p>
      )}
    </Dialog>
  );
}
