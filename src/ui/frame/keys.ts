/**
 * Single-letter keys. They act only while the focus is in the view, every one of them has a button as well, and they can be
 * switched off (WCAG 2.1.4).
 */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export interface Key {
  /** As `KeyboardEvent.key` says it, or all digits at once. */
  readonly key: string;
  readonly does: string;
  /** With the digit that was pressed, if it was one. */
  act(digit: number): void;
}

export const DIGIT = '1…9';
export const SHIFT_DIGIT = 'Shift 1…9';

const STORED = 'pebslab.keys';

export const areOn = signal(localStorage.getItem(STORED) !== 'off');
/** Those that act now, for the list of keys. */
export const keys = signal<readonly Key[]>([]);

export function switchKeys(on: boolean): void {
  areOn.value = on;
  localStorage.setItem(STORED, on ? 'on' : 'off');
}

/** The keys of a view, while it is on screen. Give the same list again and again, or it is registered each time. */
export function useKeys(list: readonly Key[]): void {
  useEffect(() => {
    keys.value = [...keys.peek(), ...list];
    return () => {
      keys.value = keys.peek().filter((key) => !list.includes(key));
    };
  }, [list]);
}

/** What text is typed into takes the letters itself. */
const TEXT = 'input:not([type=checkbox],[type=radio]), textarea, select, [contenteditable]';

export function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if ((event.target as Element).closest(TEXT) !== null) return;
  const isLetter = event.key.length === 1;
  if (isLetter && !areOn.value) return;
  // By its place on the keyboard: with Shift it types something else, and on some layouts a digit only then.
  const found = /^Digit([1-9])$/.exec(event.code) ?? /^([1-9])$/.exec(event.key);
  const digit = Number(found?.[1] ?? 0);
  const digits = digit > 0 && (event.shiftKey ? SHIFT_DIGIT : DIGIT);
  // The innermost view registered last.
  const find = (name: unknown) => keys.value.findLast(({ key }) => key === name);
  const key = find(digits) ?? find(event.key);
  if (key === undefined) return;
  event.preventDefault();
  key.act(digit);
}
