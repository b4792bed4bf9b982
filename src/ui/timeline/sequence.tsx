/** The steps as messages between those who act: a row for each step that writes or changes something. */
import { useMemo } from 'preact/hooks';
import { ACTOR_GLYPHS } from '../widgets/actor.js';
import { useWindow } from '../widgets/window.js';
import type { Cursor } from './cursor.js';
import type { Run, Step } from './run.js';
import { isWide } from './width.js';
import { describeWrite } from './words.js';

const LANES = ['perf', 'kvm', 'nmi', 'cpu', 'areas', 'guest', 'host'] as const;
type LaneName = (typeof LANES)[number];

/** Where names have no room. */
const LANE_GLYPHS: Readonly<Record<LaneName, string>> = { ...ACTOR_GLYPHS, areas: '▤' };

const ROW_HEIGHT = 44;
const LANE_WIDTHS = { wide: 46, narrow: 22 } as const;

interface Row {
  readonly first: number;
  /** The same as `first` for a step that says something. */
  readonly last: number;
  readonly step: Step;
}

/** Quiet steps in a row are one row; a step with a mark is never among them. */
function rowsOf(run: Run): Row[] {
  const rows: Row[] = [];
  for (const [at, step] of run.steps.entries()) {
    const number = at + 1;
    const previous = rows.at(-1);
    const isMarked = number === run.pointOfNoReturn || number === run.firstViolation;
    if (previous !== undefined && step.isQuiet && previous.step.isQuiet && !isMarked) {
      rows[rows.length - 1] = { ...previous, last: number };
    } else rows.push({ first: number, last: number, step });
  }
  return rows;
}

/** From whom to whom a step goes; to itself if it only changes what is its own. */
function arrowOf({ actor, writes, changes }: Step): readonly [LaneName, LaneName] {
  if (writes.some(({ via }) => via === 'vm_entry_load' || via === 'vm_exit_load')) {
    return ['areas', 'cpu'];
  }
  if (writes.length > 0) return [actor, actor === 'cpu' ? 'areas' : 'cpu'];
  if (changes.some(({ field }) => /MSR-load area/.test(field))) return [actor, 'areas'];
  return [actor, actor];
}

interface Props {
  readonly run: Run;
  readonly cursor: Cursor;
}

export function Sequence({ run, cursor }: Props) {
  const rows = useMemo(() => rowsOf(run), [run]);
  const current = rows.findIndex(({ last }) => last >= cursor.step);
  const shown = useWindow(rows.length, ROW_HEIGHT, current);
  return (
    <div class="sequence">
      <div
        class="steps-scroller"
        ref={shown.ref}
        onScroll={shown.onScroll}
        tabIndex={0}
        role="region"
        aria-label="Sequence of steps"
      >
        <Heads />
        <ol class="sequence-rows">
          <li aria-hidden="true" style={{ height: shown.padTop }} />
          {rows.slice(shown.first, shown.end).map((row, at) => (
            <SequenceRow
              key={row.first}
              run={run}
              row={row}
              isCurrent={shown.first + at === current}
              flag={cursor.flagOf(row.first)}
              choose={() => cursor.move(row.last)}
            />
          ))}
          <li aria-hidden="true" style={{ height: shown.padBottom }} />
        </ol>
      </div>
    </div>
  );
}

function Heads() {
  return (
    <div class="sequence-heads" aria-hidden="true">
      {LANES.map((name) => (
        <span key={name}>{isWide.value ? name : LANE_GLYPHS[name]}</span>
      ))}
    </div>
  );
}

interface RowProps {
  readonly run: Run;
  readonly row: Row;
  readonly isCurrent: boolean;
  readonly flag: string;
  choose(): void;
}

function SequenceRow({ run, row, isCurrent, flag, choose }: RowProps) {
  const { first, last, step } = row;
  const names =
    first === last ? (step.at ?? '') : `${run.steps[first - 1]!.at} … ${run.steps[last - 1]!.at}`;
  const mark = first === run.pointOfNoReturn ? '★' : first === run.firstViolation ? '▲' : '';
  const text = first === last ? step.action : `${last - first + 1} steps that only mark time`;
  return (
    <li data-current={isCurrent || undefined} data-quiet={step.isQuiet || undefined}>
      <Arrow step={step} />
      <button
        type="button"
        class="plain"
        aria-current={isCurrent ? 'step' : undefined}
        onClick={choose}
      >
        <span class="sequence-line">
          <b class="number">{first === last ? first : `${first}–${last}`}</b>{' '}
          <span class="violated">{mark}</span>
          {flag} <code>{names}</code> {text}
        </span>
        {step.writes.length > 0 && (
          <code class="sequence-line muted">{step.writes.map(describeWrite).join(' · ')}</code>
        )}
      </button>
    </li>
  );
}

function Arrow({ step }: { readonly step: Step }) {
  const [from, to] = arrowOf(step);
  const laneWidth = isWide.value ? LANE_WIDTHS.wide : LANE_WIDTHS.narrow;
  const middleOf = (name: LaneName): number => (LANES.indexOf(name) + 0.5) * laneWidth;
  const [x1, x2] = [middleOf(from), middleOf(to)];
  const y = ROW_HEIGHT / 2;
  const width = LANES.length * laneWidth;
  const tip = x2 > x1 ? -7 : 7;
  return (
    <svg class="sequence-arrow" viewBox={`0 0 ${width} ${ROW_HEIGHT}`} aria-hidden="true">
      {LANES.map((name) => (
        <path key={name} class="life" d={`M${middleOf(name)} 0V${ROW_HEIGHT}`} />
      ))}
      {x1 === x2 ? (
        <rect
          class="own"
          x={x1 - 6}
          y={y - 6}
          width="12"
          height="12"
          rx="2"
          data-quiet={step.isQuiet || undefined}
        />
      ) : (
        <>
          <circle class="end" cx={x1} cy={y} r="3.5" />
          <path
            class="arrow"
            d={`M${x1} ${y}H${x2}M${x2 + tip} ${y - 5}L${x2} ${y}L${x2 + tip} ${y + 5}`}
          />
        </>
      )}
    </svg>
  );
}
