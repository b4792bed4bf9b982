/** What differs at the row of the cursor: who makes the step, which writes, which registers, which verdict. */
import type { LaneCursor } from '../timeline/cursor.js';
import type { Lane } from '../timeline/lanes.js';
import { LaneStates } from '../timeline/step-panel.js';
import { type Difference, KINDS, plain, type Row, writesOf } from './rows.js';

const WORDS = {
  control: 'Only one side makes this step',
  write: 'The same step writes something else',
  state: 'From here on the registers differ',
  verdict: 'Other invariants are violated',
} as const;

interface Props {
  readonly row: Row | undefined;
  readonly kernels: readonly string[];
}

interface PanelProps extends Props {
  readonly lanes: readonly Lane[];
  readonly cursor: LaneCursor;
}

export function DifferencePanel({ row, kernels, lanes, cursor }: PanelProps) {
  if (row === undefined) return null;
  const [a, b] = row.steps;
  return (
    <section class="panel" aria-label="The step at the cursor">
      <header>
        <h2 class="mono">{(a ?? b)?.at}</h2>
        <span class="muted">
          {row.at
            .map((at, side) => (at === undefined ? '–' : `${'AB'[side]} ${at + 1}`))
            .join(' · ')}
        </span>
      </header>
      <div class="inside act-groups" aria-live="polite">
        {row.differences.length === 0 && <p class="muted">Both sides do the same here.</p>}
        {KINDS.flatMap((kind) => row.differences.filter((one) => one.kind === kind)).map((one) => (
          <div key={one.kind}>
            <h3>{WORDS[one.kind]}</h3>
            <One difference={one} row={row} kernels={kernels} />
          </div>
        ))}
        <LaneStates lanes={lanes} cursor={cursor} />
      </div>
    </section>
  );
}

function One({
  difference,
  row,
  kernels,
}: Props & { readonly difference: Difference; readonly row: Row }) {
  const { kind, refused, registers = [], violated = [] } = difference;
  if (refused !== undefined) {
    return (
      <p>
        {kernels[refused.side]} stops here: {refused.detail}
      </p>
    );
  }
  if (kind === 'control') return <p>{kernels[row.steps[0] === undefined ? 1 : 0]} alone</p>;
  const lines: (readonly [string, readonly string[]])[] =
    kind === 'write'
      ? [['', row.steps.map((step) => (step === undefined ? '' : writesOf(step) || 'none'))]]
      : kind === 'verdict'
        ? [['', violated.map((ids) => ids.join(' ') || 'none')]]
        : registers.map(({ msr, field, values }) => [
            `${msr}, ${FIELDS[field]}`,
            values.map((value) => (value === null ? 'not listed' : plain(value))),
          ]);
  return (
    <dl class="both">
      {lines.map(([what, values]) => (
        <div key={what}>
          {what !== '' && <dt>{what}</dt>}
          {values.map((value, side) => (
            <dd key={kernels[side]}>
              <span class="muted">{'AB'[side]}</span> <code>{value}</code>
            </dd>
          ))}
        </div>
      ))}
    </dl>
  );
}

const FIELDS = {
  value: 'hardware',
  desired: 'what perf wants',
  vm_entry_load: 'VM-entry loads',
  vm_exit_load: 'VM-exit loads',
} as const;
