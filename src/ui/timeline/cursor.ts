/** The one cursor of a run: every face shows it and moves it. It is the step in the address. */
import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { DIGIT, type Key, SHIFT_DIGIT, useKeys } from '../frame/keys.js';
import { query, setQuery } from '../router.js';
import type { Lane } from './lanes.js';
import { isWriteOf, originOf } from './origin.js';
import type { Run } from './run.js';

export interface Cursor {
  readonly step: number;
  readonly lane: Lane | undefined;
  /** The steps that the value at the cursor comes from. */
  readonly origin: readonly number[];
  move(step: number): void;
  select(lane: Lane): void;
  /** To the step that wrote what the chosen lane shows, or further back. */
  whoWrote(): void;
  back(): void;
  /** To the next write of the chosen lane, or the one before. */
  toWrite(direction: 1 | -1): void;
  readonly canGoBack: boolean;
  /** The steps that are marked, by their digit less one; they are kept in the address. */
  readonly bookmarks: readonly (number | undefined)[];
  /** Marks this step with a digit, or with the first that is free; takes the mark away where it has it. */
  bookmark(digit?: number): void;
  /** The mark of a step as text, such as ⚑1. */
  flagOf(step: number): string;
}

/** What the picture of the lanes needs of it; not every run knows who wrote what. */
export type LaneCursor = Pick<
  Cursor,
  'step' | 'lane' | 'origin' | 'bookmarks' | 'move' | 'select'
> &
  Partial<Pick<Cursor, 'whoWrote'>>;

const BOOKMARKS_MAX = 9;

/** `15..18` marks two steps with 1 and 3. */
function readBookmarks(text: string | null, last: number): (number | undefined)[] {
  return (text ?? '')
    .split('.', BOOKMARKS_MAX)
    .map((part) => (/^\d+$/.test(part) && Number(part) <= last ? Number(part) : undefined));
}

/** Where the cursor came from, by "who wrote this". */
const visited = signal<readonly number[]>([]);

export function useCursor(run: Run, lanes: readonly Lane[], first: number): Cursor {
  const last = run.steps.length;
  const asked = query.value.get('step');
  const step = asked === null ? first : Math.min(last, Math.max(0, Math.trunc(Number(asked)) || 0));
  const bookmarks = readBookmarks(query.value.get('marks'), last);
  const lane = lanes.find(({ id }) => id === query.value.get('pin')) ?? lanes[0];
  const origin = useMemo(
    () => (lane === undefined ? [] : originOf(run, lane, step)),
    [run, lane, step],
  );
  useEffect(() => {
    visited.value = [];
  }, [run]);

  const move = (to: number): void => setQuery({ step: Math.min(last, Math.max(0, to)) });
  return {
    step,
    lane,
    origin,
    move,
    select: ({ id }) => setQuery({ pin: id }),
    whoWrote: () => {
      const next = origin.find((one) => one < step) ?? origin[0];
      if (next === undefined || next === step) return;
      visited.value = [...visited.value, step];
      move(next);
    },
    back: () => {
      const from = visited.value.at(-1);
      if (from === undefined) return;
      visited.value = visited.value.slice(0, -1);
      move(from);
    },
    toWrite: (direction) => {
      if (lane === undefined) return;
      for (let at = step + direction; at > 0 && at <= last; at += direction) {
        if (isWriteOf(run, lane, at)) {
          move(at);
          return;
        }
      }
    },
    canGoBack: visited.value.length > 0,
    bookmarks,
    bookmark: (digit) => {
      const own = bookmarks.indexOf(step);
      const free = [...bookmarks, undefined].indexOf(undefined);
      const at = digit === undefined ? (own < 0 ? free : own) : digit - 1;
      if (at >= BOOKMARKS_MAX) return;
      const next = Array.from({ length: BOOKMARKS_MAX }, (_, one) =>
        one === at && bookmarks[at] !== step ? step : one === at ? undefined : bookmarks[one],
      );
      setQuery({ marks: next.join('.').replace(/\.+$/, '') || undefined });
    },
    flagOf: (step) => {
      const at = bookmarks.indexOf(step);
      return at < 0 ? '' : `⚑${at + 1}`;
    },
  };
}

/** The keys that all faces share. */
export function useCursorKeys(run: Run, lanes: readonly Lane[], cursor: Cursor): void {
  const current = useMemo(() => ({ cursor }), []);
  current.cursor = cursor;
  const list = useMemo(() => cursorKeys(run, lanes, () => current.cursor), [run, lanes]);
  useKeys(list);
}

function cursorKeys(run: Run, lanes: readonly Lane[], now: () => Cursor): Key[] {
  const by = (delta: number) => () => now().move(now().step + delta);
  const toNmi = (direction: 1 | -1) => () => {
    const { step, move } = now();
    for (let at = step + direction; at > 0 && at <= run.steps.length; at += direction) {
      if (run.steps[at - 1]!.actor === 'nmi') {
        move(at);
        return;
      }
    }
  };
  const byLane = (delta: number) => () => {
    const { lane, select } = now();
    const next = lanes[lanes.findIndex((one) => one.id === lane?.id) + delta];
    if (next !== undefined) select(next);
  };
  const { pointOfNoReturn, firstViolation } = run;
  return [
    { key: 'j', does: 'the next step', act: by(1) },
    { key: 'k', does: 'the step before', act: by(-1) },
    { key: 'J', does: 'the lane below', act: byLane(1) },
    { key: 'K', does: 'the lane above', act: byLane(-1) },
    { key: 'g', does: 'before the first step', act: () => now().move(0) },
    { key: 'G', does: 'the last step', act: () => now().move(run.steps.length) },
    { key: 'n', does: 'the next write of the chosen lane', act: () => now().toWrite(1) },
    { key: 'p', does: 'the write before', act: () => now().toWrite(-1) },
    { key: ']', does: 'the next NMI', act: toNmi(1) },
    { key: '[', does: 'the NMI before', act: toNmi(-1) },
    { key: 'w', does: 'who wrote what the chosen lane shows', act: () => now().whoWrote() },
    {
      key: DIGIT,
      does: 'the step with that bookmark',
      act: (digit) => {
        const { bookmarks, move } = now();
        const to = bookmarks[digit - 1];
        if (to !== undefined) move(to);
      },
    },
    { key: SHIFT_DIGIT, does: 'bookmark this step', act: (digit) => now().bookmark(digit) },
    { key: 'Backspace', does: 'back from there', act: () => now().back() },
    ...(pointOfNoReturn === undefined
      ? []
      : [{ key: 'e', does: '★, the point of no return', act: () => now().move(pointOfNoReturn) }]),
    ...(firstViolation === undefined
      ? []
      : [{ key: 'v', does: '▲, the first violation', act: () => now().move(firstViolation) }]),
  ];
}
