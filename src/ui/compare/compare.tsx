/** Two kernels under one schedule: where they part, and how. */
import { useMemo } from 'preact/hooks';
import { curl, useHeader } from '../frame/header-content.js';
import { type Key, useKeys } from '../frame/keys.js';
import { useLoaded } from '../load.js';
import { query, setQuery } from '../router.js';
import type { Lane } from '../timeline/lanes.js';
import { LanesView } from '../timeline/lanes-view.js';
import { isWide } from '../timeline/width.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Verdict } from '../widgets/verdict.js';
import { Waiting } from '../widgets/waiting.js';
import { bothRuns } from './both-runs.js';
import { Chooser } from './chooser.js';
import { DifferencePanel } from './difference-panel.js';
import { firstRow, KINDS, MARKS, type Row, rowsOf } from './rows.js';
import { RunsView } from './runs-view.js';
import { type Found, findComparison, sourceOf } from './source.js';
import '../timeline/timeline.css';
import './compare.css';

export function Compare() {
  const source = sourceOf(query.value);
  const key = JSON.stringify(source);
  const { value, problem, reload } = useLoaded(key, (signal) => findComparison(source, signal));
  return (
    <div class="screen">
      <h1>Two kernels under one schedule</h1>
      <Chooser key={key} source={source} />
      {problem !== undefined && <ProblemPanel problem={problem} retry={reload} />}
      {value === undefined && problem === undefined && (
        <Waiting what="Both kernels run the schedule" lines={8} />
      )}
      {value === undefined ? <Untitled /> : <Runs found={value} />}
    </div>
  );
}

function Untitled() {
  useHeader({ title: 'Compare' });
  return null;
}

function Runs({ found: { comparison, request, about } }: { readonly found: Found }) {
  const { sides } = comparison;
  const kernels = sides.map(({ kernel }) => kernel);
  const rows = useMemo(() => rowsOf(comparison), [comparison]);
  const first = rows.findIndex(({ differences }) => differences.length > 0);
  const asked = query.value.get('step');
  const current = asked === null ? Math.max(0, first) : clamp(Number(asked) - 1, rows.length);
  const isOverlay = query.value.get('view') === 'overlay' || !isWide.value;
  useHeader({
    title: kernels.join(' ⇄ '),
    curl:
      request === undefined
        ? [curl(`/v1/explorations/${query.value.get('e')}`)]
        : [curl('/v1/comparisons/runs', request)],
  });
  const move = (row: number): void => setQuery({ step: clamp(row, rows.length) + 1 });
  const toDifference = (direction: 1 | -1): void => {
    const next = nextDifference(rows, current, direction);
    if (next !== undefined) move(next);
  };
  const { run, lanes } = useMemo(() => bothRuns(comparison, rows, first), [comparison]);
  const cursor = {
    step: current + 1,
    lane: lanes.find(({ id }) => id === query.value.get('pin')),
    origin: [],
    bookmarks: [],
    move: (step: number) => move(step - 1),
    select: ({ id }: Lane) => setQuery({ pin: id }),
  };
  useCompareKeys({ current, move, toDifference, isOverlay });
  return (
    <>
      <p>
        Schedule: {about}. {sides.map(({ steps }) => steps.length).join(' and ')} steps.
      </p>
      <div class="sides">
        {sides.map(({ kernel, verdict, refused }, side) => (
          <p key={kernel}>
            <strong>{'AB'[side]}</strong> <code>{kernel}</code>{' '}
            <Verdict kind={verdict === 'violated' ? 'violated' : 'holds'} />{' '}
            {verdict === 'violated' ? 'violated' : 'holds'}
            {refused !== null && `; stops at action ${refused.action + 1}: ${refused.detail}`}
          </p>
        ))}
      </div>
      <FirstDifferences rows={rows} move={move} />
      <div class="row">
        <button type="button" class="small" onClick={() => toDifference(-1)}>
          Difference before
        </button>
        <button type="button" class="small" onClick={() => toDifference(1)}>
          Next difference
        </button>
        {isWide.value && (
          <button
            type="button"
            class="small"
            aria-pressed={isOverlay}
            onClick={() => setQuery({ view: isOverlay ? undefined : 'overlay' })}
          >
            Overlay
          </button>
        )}
      </div>
      {lanes.length > 0 && <LanesView run={run} lanes={lanes} cursor={cursor} />}
      <div class="run-body">
        <div class="run-face">
          <RunsView rows={rows} current={current} move={move} isOverlay={isOverlay} />
        </div>
        <DifferencePanel row={rows[current]} kernels={kernels} lanes={lanes} cursor={cursor} />
      </div>
    </>
  );
}

function FirstDifferences(props: {
  readonly rows: readonly Row[];
  readonly move: (row: number) => void;
}) {
  const { rows, move } = props;
  const found = KINDS.flatMap((kind) => {
    const at = firstRow(rows, kind);
    return at === undefined ? [] : [{ kind, at }];
  });
  if (found.length === 0) {
    return <p role="status">Both kernels do the same, step by step: nothing tells them apart.</p>;
  }
  return (
    <ul class="firsts" aria-label="First differences">
      {found.map(({ kind, at }) => {
        const [a, b] = rows[at]!.steps;
        return (
          <li key={kind}>
            <button type="button" onClick={() => move(at)}>
              <span aria-hidden="true">{MARKS[kind]}</span> {kind}
              <code>{(a ?? b)?.at}</code>
              <span class="muted">
                {a === undefined ? 'only B' : b === undefined ? 'only A' : `row ${at + 1}`}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function clamp(row: number, count: number): number {
  return Math.min(count - 1, Math.max(0, Math.trunc(row) || 0));
}

function nextDifference(rows: readonly Row[], from: number, direction: 1 | -1) {
  for (let at = from + direction; at >= 0 && at < rows.length; at += direction) {
    if (rows[at]!.differences.length > 0) return at;
  }
  return undefined;
}

interface Acts {
  readonly current: number;
  readonly isOverlay: boolean;
  move(row: number): void;
  toDifference(direction: 1 | -1): void;
}

function useCompareKeys(acts: Acts): void {
  const now = useMemo(() => ({ acts }), []);
  now.acts = acts;
  const list = useMemo((): Key[] => {
    const by = (delta: number) => () => now.acts.move(now.acts.current + delta);
    const overlay = () => setQuery({ view: now.acts.isOverlay ? undefined : 'overlay' });
    return [
      { key: 'j', does: 'the next step', act: by(1) },
      { key: 'ArrowDown', does: 'the next step', act: by(1) },
      { key: 'k', does: 'the step before', act: by(-1) },
      { key: 'ArrowUp', does: 'the step before', act: by(-1) },
      { key: 'd', does: 'the next difference', act: () => now.acts.toDifference(1) },
      { key: 'D', does: 'the difference before', act: () => now.acts.toDifference(-1) },
      { key: 'o', does: 'side by side or overlay', act: overlay },
    ];
  }, []);
  useKeys(list);
}
