/** Where the two runs come from, as the address says it: a search, a counterexample of a scenario, or a script. */
import { type Api, get, post } from '../api/client.js';
import { Problem } from '../api/problem.js';
import { mainViolation, search } from '../worlds/searches.js';

export type Comparison = Api['RunComparison'];

export interface Source {
  readonly a: string;
  readonly b: string;
  /** The scenario whose shortest violation is replayed. */
  readonly scenario: string;
  /** Instead of it: a script, as JSON. */
  readonly script: string | undefined;
  readonly cpuModel: string;
  /** Instead of all: the search that told two kernels apart. */
  readonly exploration: string | undefined;
}

export interface Found {
  readonly comparison: Comparison;
  /** What was sent for it; undefined if a search has found it. */
  readonly request: Api['RunComparisonRequest'] | undefined;
  readonly about: string;
}

const FIRST = { a: 'linux-7.2.6', b: 'linux-7.3.4', scenario: 'matrix-linux-7.2.6-k3-late' };

export function sourceOf(query: URLSearchParams): Source {
  const said = (name: string): string | undefined => query.get(name) ?? undefined;
  return {
    a: said('a') ?? FIRST.a,
    b: said('b') ?? FIRST.b,
    scenario: said('scenario') ?? FIRST.scenario,
    script: said('script'),
    cpuModel: said('cpu') ?? 'emerald-rapids',
    exploration: said('e'),
  };
}

export async function findComparison(source: Source, signal: AbortSignal): Promise<Found> {
  const { a, b, scenario, script, cpuModel, exploration } = source;
  if (exploration !== undefined) return ofSearch(exploration, signal);
  const [host, actions] =
    script === undefined
      ? await ofScenario(scenario, signal)
      : [{ cpu_model: cpuModel }, parse(script)];
  const request = { ...host, kernels: [a, b], script: actions };
  const comparison = await post('/v1/comparisons/runs', { body: request, signal });
  const about =
    script === undefined ? `the shortest violation of ${scenario}` : `a script on ${cpuModel}`;
  return { comparison, request, about };
}

async function ofSearch(exploration: string, signal: AbortSignal): Promise<Found> {
  const { difference } = await get('/v1/explorations/{exploration}', {
    path: { exploration },
    signal,
  });
  const { sides, first, differences } = difference ?? {};
  if (sides === undefined || first === undefined || differences === undefined) {
    throw new Problem({
      title: 'No difference',
      detail: 'This search compares no kernels, or has found no schedule that tells them apart.',
    });
  }
  const about = `the shortest schedule that tells them apart, found by ${exploration}`;
  return { comparison: { sides, first, differences }, request: undefined, about };
}

type Actions = Api['RunComparisonRequest']['script'];

async function ofScenario(scenario: string, signal: AbortSignal) {
  const query = { scenario, state: 'succeeded' as const, limit: 1 };
  const { items } = await get('/v1/explorations', { query, signal });
  const found = items[0] ?? (await search(scenario, signal));
  const violation = mainViolation(found)?.counterexample;
  if (violation === undefined) {
    const detail = `${scenario} has no violation whose schedule could be replayed.`;
    throw new Problem({ title: 'No schedule', detail });
  }
  const path = { exploration: found.id, counterexample: violation.id };
  const { host, script } = await get(
    '/v1/explorations/{exploration}/counterexamples/{counterexample}',
    { path, signal },
  );
  const { kernel: _, name: __, ...rest } = host;
  return [rest, script as Actions] as const;
}

export function parse(script: string): Actions {
  try {
    const found = JSON.parse(script);
    return Array.isArray(found) ? found : found.actions;
  } catch (error) {
    throw new Problem({ title: 'The script is not JSON', detail: (error as Error).message });
  }
}
