/**
 * The steps as a table, which is also what the picture of the lanes shows to those who do not see it. On a narrow screen it is
 * the timeline, upright.
 */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { ACTOR_GLYPHS } from '../widgets/actor.js';
import { Bit } from '../widgets/bit.js';
import { useWindow } from '../widgets/window.js';
import type { Cursor } from './cursor.js';
import { type BitLane, type Lane, stateAt } from './lanes.js';
import type { Run } from './run.js';
import { describeWrite } from './words.js';

const ROW_HEIGHT = 32;
/** More do not fit beside the steps. */
const BITS_MAX = 4;

interface Props {
  readonly run: Run;
  readonly lanes: readonly Lane[];
  readonly cursor: Cursor;
}

export function StepsTable({ run, lanes, cursor }: Props) {
  const onlyChanges = useSignal(false);
  const bits = lanes.filter((lane): lane is BitLane => lane.kind === 'bit').slice(0, BITS_MAX);
  const shown = useMemo(
    () =>
      run.steps.flatMap(({ isQuiet }, at) => {
        const isMarked = at + 1 === run.pointOfNoReturn || at + 1 === run.firstViolation;
        return onlyChanges.value && isQuiet && !isMarked ? [] : [at + 1];
      }),
    [run, onlyChanges.value],
  );
  const rows = useWindow(shown.length, ROW_HEIGHT, nearest(shown, cursor.step));
  const press = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    cursor.move(shown[nearest(shown, cursor.step) + by] ?? cursor.step);
  };
  return (
    <div class="steps">
      <label class="choice">
        <input
          type="checkbox"
          checked={onlyChanges.value}
          onChange={({ currentTarget }) => {
            onlyChanges.value = currentTarget.checked;
          }}
        />
        Only what writes or changes something
      </label>
      <div
        class="steps-scroller"
        ref={rows.ref}
        onScroll={rows.onScroll}
        onKeyDown={press}
        tabIndex={0}
        role="region"
        aria-label="Steps, one below the other"
      >
        <table role="grid" aria-label="Steps" aria-rowcount={shown.length + 1}>
          <thead role="rowgroup">
            <tr role="row" aria-rowindex={1}>
              <th role="columnheader" scope="col">
                Step
              </th>
              {bits.map((lane) => (
                <th role="columnheader" scope="col" key={lane.id} class="bit-head">
                  <small>{shortRegister(lane)}</small> {lane.label}
                </th>
              ))}
              <th role="columnheader" scope="col">
                What happens
              </th>
              <th role="columnheader" scope="col" class="writes-column">
                Writes
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {rows.padTop > 0 && <Gap height={rows.padTop} />}
            {shown.slice(rows.first, rows.end).map((step, at) => (
              <StepRow
                key={step}
                index={rows.first + at + 2}
                run={run}
                step={step}
                bits={bits}
                cursor={cursor}
              />
            ))}
            {rows.padBottom > 0 && <Gap height={rows.padBottom} />}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Gap({ height }: { readonly height: number }) {
  return <tr aria-hidden="true" style={{ height }} />;
}

/** IA32_PEBS_ENABLE is PEBS where there is little room. */
function shortRegister({ register: { msr, cpu } }: BitLane): string {
  const short = msr.replace(/^IA32_(PERF_)?/, '').replace(/_(ENABLE|CTRL)$/, '');
  return cpu === 0 ? short : `${short} ${cpu}`;
}

function nearest(shown: readonly number[], step: number): number {
  const at = shown.findIndex((one) => one >= step);
  return at < 0 ? shown.length - 1 : at;
}

interface RowProps {
  readonly index: number;
  readonly run: Run;
  readonly step: number;
  readonly bits: readonly BitLane[];
  readonly cursor: Cursor;
}

function StepRow({ index, run, step, bits, cursor }: RowProps) {
  const { actor, at, action, writes, isQuiet } = run.steps[step - 1]!;
  const isCurrent = step === cursor.step;
  const mark = step === run.pointOfNoReturn ? '★' : step === run.firstViolation ? '▲' : '';
  return (
    <tr
      role="row"
      aria-rowindex={index}
      aria-selected={isCurrent}
      data-quiet={isQuiet || undefined}
      data-doomed={(run.pointOfNoReturn !== undefined && step > run.pointOfNoReturn) || undefined}
    >
      <td role="gridcell" class="number">
        <button type="button" class="plain" onClick={() => cursor.move(step)}>
          <span class="unseen">Step </span>
          {step}
          <span class="violated" aria-hidden="true">
            {mark}
          </span>
          <small>{cursor.flagOf(step)}</small>
          <span class="unseen">
            {mark === '★' && ' point of no return'}
            {mark === '▲' && ' first violation'}
          </span>
        </button>
      </td>
      {bits.map((lane) => (
        <td role="gridcell" key={lane.id} class="bit-cell">
          <Bit state={stateAt(lane, step)} label={lane.label} />
        </td>
      ))}
      <td role="gridcell" class="what-cell" onClick={() => cursor.move(step)}>
        <span aria-hidden="true" data-actor={actor}>
          {ACTOR_GLYPHS[actor]}
        </span>{' '}
        <span class="unseen">{actor}: </span>
        {at !== undefined && <code>{at.split(':')[0]}</code>} {action}
      </td>
      <td role="gridcell" class="writes-column">
        <code>{writes.map(describeWrite).join(' · ')}</code>
      </td>
    </tr>
  );
}
