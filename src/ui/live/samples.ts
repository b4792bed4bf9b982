/** How fast each search was lately: what events of progress said, and when. Nothing is made up between them. */
import { signal } from '@preact/signals';
import type { Api } from '../api/client.js';

export interface Sample {
  readonly at: number;
  readonly rate: number;
  readonly frontier: number;
}

const SAMPLES_MAX = 120;
/** Searches that are long over need none. */
const SEARCHES_MAX = 50;

export const samples = signal<ReadonlyMap<string, readonly Sample[]>>(new Map());

export function remember({ subject, data }: Api['Event']): void {
  const { rate_per_second: rate, frontier = 0 } = data as Partial<Api['Progress']>;
  if (rate === undefined) return;
  const next = new Map(samples.peek());
  const known = next.get(subject) ?? [];
  next.delete(subject);
  next.set(subject, [...known, { at: Date.now(), rate, frontier }].slice(-SAMPLES_MAX));
  if (next.size > SEARCHES_MAX) next.delete(next.keys().next().value as string);
  samples.value = next;
}
