/** The rows of a long list that are on screen: all have one height, and only those are made. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** Rows made above and below what is visible, so that scrolling shows no gap. */
const BEYOND = 12;

export interface RowWindow {
  /** For the element that scrolls. */
  readonly ref: { current: HTMLDivElement | null };
  readonly onScroll: (event: Event) => void;
  readonly first: number;
  /** One after the last. */
  readonly end: number;
  readonly padTop: number;
  readonly padBottom: number;
}

export function useWindow(count: number, rowHeight: number, follow: number): RowWindow {
  const ref = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // What is to be seen is scrolled to, with some rows around it.
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null || follow < 0) return;
    const y = follow * rowHeight;
    const isAbove = y < element.scrollTop + rowHeight;
    const isBelow = y + 3 * rowHeight > element.scrollTop + element.clientHeight;
    if (isAbove || isBelow) element.scrollTop = Math.max(0, y - element.clientHeight / 3);
    top.value = element.scrollTop;
  }, [follow, count]);
  const first = Math.max(0, Math.floor(top.value / rowHeight) - BEYOND);
  const end = Math.min(count, Math.ceil((top.value + height.value) / rowHeight) + BEYOND);
  return {
    ref,
    onScroll: (event) => {
      top.value = (event.currentTarget as HTMLElement).scrollTop;
    },
    first,
    end,
    padTop: first * rowHeight,
    padBottom: (count - end) * rowHeight,
  };
}
