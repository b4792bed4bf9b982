/** The aligned steps, side by side or as one list with a gutter; only what is visible is made. */
import type { Api } from '../api/client.js';
import { ACTOR_GLYPHS } from '../widgets/actor.js';
import { useWindow } from '../widgets/window.js';
import { kindsOf, MARKS, type Row, type RunStep, writesOf } from './rows.js';

const ROW_HEIGHT = 28;
const NAMES = ['A', 'B'] as const;

interface Props {
  readonly rows: readonly Row[];
  readonly current: number;
  readonly move: (row: number) => void;
  readonly isOverlay: boolean;
}

export function RunsView({ rows, current, move, isOverlay }: Props) {
  const window = useWindow(rows.length, ROW_HEIGHT, current);
  const shown = rows.slice(window.first, window.end);
  return (
    <div
      class="runs"
      ref={window.ref}
      onScroll={window.onScroll}
      data-overlay={isOverlay || undefined}
    >
      <ol
        aria-label="Steps of both runs"
        style={{ paddingTop: window.padTop, paddingBottom: window.padBottom }}
      >
        {shown.map((row, offset) => {
          const at = window.first + offset;
          return (
            <li key={at} style={{ height: ROW_HEIGHT }}>
              <button
                type="button"
                tabIndex={at === current ? 0 : -1}
                aria-current={at === current ? 'step' : undefined}
                data-differs={row.differences.length > 0 || undefined}
                onClick={() => move(at)}
              >
                <Marks row={row} />
                {isOverlay ? (
                  <Together row={row} />
                ) : (
                  row.steps.map((step, side) => (
                    <Step key={NAMES[side]} step={step} at={row.at[side]} side={NAMES[side]!} />
                  ))
                )}
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Marks({ row }: { readonly row: Row }) {
  const kinds = kindsOf(row);
  return (
    <span class="marks">
      <span aria-hidden="true">{kinds.map((kind) => MARKS[kind]).join('')}</span>
      <span class="unseen">{kinds.length === 0 ? '' : `differs in ${kinds.join(', ')}:`}</span>
    </span>
  );
}

interface StepProps {
  readonly step: RunStep | undefined;
  readonly at: number | undefined;
  readonly side: string;
}

function Step({ step, at, side }: StepProps) {
  if (step === undefined || at === undefined) {
    return (
      <span class="side muted">
        <span aria-hidden="true">·</span>
        <span class="unseen">{side} does not make it</span>
      </span>
    );
  }
  return (
    <span class="side">
      <span class="number muted">{at + 1}</span>
      <What {...step} />
    </span>
  );
}

function Together({ row }: { readonly row: Row }) {
  const [a, b] = row.steps;
  const step = a ?? b;
  if (step === undefined) return null;
  const who = a === undefined ? 'B' : b === undefined ? 'A' : 'A B';
  return (
    <span class="side">
      <span class="who">{who}</span>
      <What {...step} />
      {a !== undefined && b !== undefined && writesOf(a) !== writesOf(b) && (
        <span class="writes-of muted">B: {writesOf(b) || 'none'}</span>
      )}
    </span>
  );
}

function What(step: Api['RunStep']) {
  return (
    <>
      <span class="actor" data-actor={step.actor} title={step.actor}>
        {ACTOR_GLYPHS[step.actor]}
      </span>
      <code>{step.at}</code>
      <span class="writes-of">{writesOf(step)}</span>
      {step.violated.length > 0 && <span class="violated">▲ {step.violated.join(' ')}</span>}
    </>
  );
}
