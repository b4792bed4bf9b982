/**
 * A grid in which one cell has the tab stop, and arrow keys move it (the WAI-ARIA pattern). Cells say where they are by
 * `data-cell="row:column"`; one that is missing is passed over.
 */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';

const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowDown: [1, 0],
  ArrowUp: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
};

export interface Grid<E extends HTMLElement> {
  /** For the element with `role="grid"`. */
  readonly gridProps: {
    readonly ref: { current: E | null };
    readonly onKeyDown: (event: KeyboardEvent) => void;
    readonly onFocusIn: (event: FocusEvent) => void;
  };
  /** For what takes the focus in a cell. */
  cellProps(row: number, column: number): { 'data-cell': string; tabIndex: number };
}

export function useGrid<E extends HTMLElement>(
  rows: number,
  columns: number,
  first: readonly [number, number] = [0, 0],
): Grid<E> {
  const ref = useRef<E>(null);
  const stop = useSignal(first.join(':'));

  const find = (row: number, column: number): HTMLElement | null =>
    ref.current?.querySelector(`[data-cell="${row}:${column}"]`) ?? null;

  const seek = (row: number, column: number, [down, right]: readonly [number, number]) => {
    for (let r = row + down, c = column + right; ; r += down, c += right) {
      if (r < 0 || c < 0 || r >= rows || c >= columns) return null;
      const cell = find(r, c);
      if (cell !== null) return cell;
    }
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const at = (event.target as Element).closest('[data-cell]')?.getAttribute('data-cell');
    if (at === null || at === undefined || event.altKey || event.metaKey) return;
    const [row = 0, column = 0] = at.split(':').map(Number);
    const move = MOVES[event.key];
    const next =
      move !== undefined
        ? seek(row, column, move)
        : event.key === 'Home'
          ? seek(event.ctrlKey ? 0 : row, -1, [0, 1])
          : event.key === 'End'
            ? seek(event.ctrlKey ? rows - 1 : row, columns, [0, -1])
            : null;
    if (next === null) return;
    event.preventDefault();
    next.focus();
  };

  const onFocusIn = (event: FocusEvent): void => {
    const cell = (event.target as Element).closest('[data-cell]')?.getAttribute('data-cell');
    if (cell !== null && cell !== undefined) stop.value = cell;
  };

  return {
    gridProps: { ref, onKeyDown, onFocusIn },
    cellProps: (row, column) => {
      const name = `${row}:${column}`;
      return { 'data-cell': name, tabIndex: stop.value === name ? 0 : -1 };
    },
  };
}
