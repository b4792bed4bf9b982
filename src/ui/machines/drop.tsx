/** Takes a file, by drop or by choice, and sends it: to look at, or to be kept. */
import { useSignal } from '@preact/signals';
import { asProblem, type Problem } from '../api/problem.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { linesOfFile, type Reading, sendFile } from './reading.js';

interface Props {
  readonly read: (reading: Reading, lines: readonly string[] | undefined) => void;
}

export function Drop({ read }: Props) {
  const keep = useSignal(true);
  const machine = useSignal('');
  const busy = useSignal('');
  const isOver = useSignal(false);
  const problem = useSignal<Problem | undefined>(undefined);
  const take = async (file: File | undefined | null): Promise<void> => {
    if (!file || busy.value !== '') return;
    problem.value = undefined;
    busy.value = file.name;
    try {
      const name = machine.value.trim();
      const query = { dry_run: !keep.value, ...(name === '' ? {} : { machine: name }) };
      const [reading, lines] = [await sendFile(file, query), await linesOfFile(file)];
      read(reading, lines);
    } catch (error) {
      problem.value = asProblem(error);
    }
    busy.value = '';
  };
  return (
    <section
      class="drop"
      data-over={isOver.value || undefined}
      aria-label="A file of a machine"
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        isOver.value = false;
        void take(event.dataTransfer?.files[0]);
      }}
    >
      <p>
        Drop what a real machine has printed: <code>dmesg</code>, <code>trace-cmd report</code>,{' '}
        <code>rdmsr</code>, <code>perf script</code>, a serial console, test results; gzip as well.
      </p>
      <div class="form-row">
        <label class="field">
          File
          <input
            type="file"
            disabled={busy.value !== ''}
            onChange={({ currentTarget }) => {
              void take(currentTarget.files?.[0]);
              currentTarget.value = '';
            }}
          />
        </label>
        <label class="field">
          Machine, if it has a name
          <input
            value={machine.value}
            onInput={({ currentTarget }) => (machine.value = currentTarget.value)}
          />
        </label>
        <label class="choice">
          <input
            type="checkbox"
            checked={keep.value}
            onChange={({ currentTarget }) => (keep.value = currentTarget.checked)}
          />
          Keep it, so that it can be explained
        </label>
      </div>
      {busy.value !== '' && <p role="status">{busy.value} is being read …</p>}
      {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
    </section>
  );
}
