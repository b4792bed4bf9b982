/** Data of a component: loaded when its key changes, kept on screen while it is loaded again. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Api } from './api/client.js';
import { listen } from './api/events.js';
import { asProblem, type Problem } from './api/problem.js';

export interface Loaded<T> {
  /** Undefined until it is there; the last one while it is loaded again. */
  readonly value: T | undefined;
  readonly problem: Problem | undefined;
  reload(): void;
}

interface Settings {
  /** Whether an event may have changed it. */
  readonly changes?: (event: Api['Event']) => boolean;
}

/** `key` names what is loaded; an undefined key loads nothing. */
export function useLoaded<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
  { changes }: Settings = {},
): Loaded<T> {
  const state = useSignal<{ key?: string | undefined; value?: T; problem?: Problem }>({});
  const round = useSignal(0);
  const reload = (): void => {
    round.value += 1;
  };

  // It may ask what is loaded by now.
  const isOurs = useRef(changes);
  isOurs.current = changes;
  useEffect(() => {
    if (changes === undefined) return undefined;
    return listen({ event: (event) => isOurs.current?.(event) && reload(), gap: reload });
  }, [key]);

  const asked = round.value;
  useEffect(() => {
    if (key === undefined) {
      state.value = {};
      return undefined;
    }
    const abort = new AbortController();
    load(abort.signal).then(
      (value) => {
        if (!abort.signal.aborted) state.value = { key, value };
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const kept = state.peek().key === key ? state.peek() : {};
        state.value = { ...kept, key, problem: asProblem(error) };
      },
    );
    return () => abort.abort();
  }, [key, asked]);

  const { key: loadedKey, value, problem } = state.value;
  const isThis = loadedKey === key;
  return { value: isThis ? value : undefined, problem: isThis ? problem : undefined, reload };
}

/** True after a delay while it waits, so that what comes at once does not flash. */
export function useSlow(isWaiting: boolean, millis = 150): boolean {
  const isSlow = useSignal(false);
  useEffect(() => {
    isSlow.value = false;
    if (!isWaiting) return undefined;
    const timer = setTimeout(() => {
      isSlow.value = true;
    }, millis);
    return () => clearTimeout(timer);
  }, [isWaiting]);
  return isWaiting && isSlow.value;
}
