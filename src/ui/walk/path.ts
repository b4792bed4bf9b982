/** The way to a state, step by step, each with the registers of its CPU after it: the lines of the `jsonl` export. */
import { type Api, text } from '../api/client.js';
import type { Actor } from '../widgets/actor.js';

export interface PathStep {
  readonly step: number;
  readonly cpu: number;
  readonly actor: Actor;
  readonly at: string;
  readonly action: string;
  readonly writes: readonly Api['TraceWrite'][];
  readonly registers: Readonly<
    Record<string, { readonly value: string; readonly desired: string }>
  >;
  readonly violated: readonly string[];
}

export async function loadPath(
  exploration: string,
  path: string,
  signal: AbortSignal,
): Promise<PathStep[]> {
  if (path === '') return [];
  const lines = await text('/v1/explorations/{exploration}/states/{path}', {
    path: { exploration, path },
    query: { format: 'jsonl' },
    signal,
  });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PathStep);
}
