/** Up to two cells can be marked, to compare their kernels on the schedule that breaks one of them. */
import { signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { useKeys } from '../frame/keys.js';
import { addressOfPlace, go } from '../router.js';
import type { Scenario } from './cell.js';

const MARKS_MAX = 2;

export const marks = signal<readonly Scenario[]>([]);

export function toggleMark(scenario: Scenario): void {
  const others = marks.value.filter(({ id }) => id !== scenario.id);
  const isNew = others.length === marks.value.length;
  marks.value = isNew ? [...others.slice(1 - MARKS_MAX), scenario] : others;
}

function comparison([a, b]: readonly Scenario[]): string | undefined {
  if (a === undefined || b === undefined || a.kernel === b.kernel) return undefined;
  const broken = [a, b].find(({ expected }) => expected.verdict === 'violated');
  return addressOfPlace('/compare', { a: a.kernel, b: b.kernel, scenario: (broken ?? a).id });
}

/** `scenarioAt` finds what the focused cell is about. */
export function useMarkKeys(scenarioAt: (cell: string) => Scenario | undefined): void {
  const now = useMemo(() => ({ scenarioAt }), []);
  now.scenarioAt = scenarioAt;
  const list = useMemo(
    () => [
      {
        key: 'x',
        does: 'mark a cell, to compare it with another',
        act: () => {
          const cell = document.activeElement?.getAttribute('data-cell') ?? '';
          const scenario = now.scenarioAt(cell);
          if (scenario !== undefined) toggleMark(scenario);
        },
      },
      {
        key: 'c',
        does: 'compare the two that are marked',
        act: () => {
          const address = comparison(marks.value);
          if (address !== undefined) go(address);
        },
      },
    ],
    [],
  );
  useKeys(list);
}

/** What is marked, and the way on. */
export function Marked() {
  const address = comparison(marks.value);
  if (marks.value.length === 0) return null;
  return (
    <div class="row marked" role="status">
      <span>
        Marked: <code>{marks.value.map(({ id }) => id.replace(/^matrix-/, '')).join(' and ')}</code>
      </span>
      {address === undefined ? (
        <span class="muted">mark a cell of another kernel to compare them (x)</span>
      ) : (
        <a class="button" href={address}>
          Compare
        </a>
      )}
      <button
        type="button"
        onClick={() => {
          marks.value = [];
        }}
      >
        Unmark
      </button>
    </div>
  );
}
