/** The searches of named scenarios that this service has: the newest of each, kept up to date by its events. */
import { signal } from '@preact/signals';
import { type Api, get, post } from '../api/client.js';
import { listen } from '../api/events.js';
import { asProblem } from '../api/problem.js';
import type { VerdictKind } from '../widgets/verdict.js';
import { doubled, type Further } from './doubled.js';

export type Exploration = Api['Exploration'];
type Outcome = Api['PropertyOutcome'];

/** What is known of the search of a scenario. */
export interface Search {
  readonly id: string;
  readonly kind: VerdictKind;
  /** Steps of the shortest way to a violation, or all states. */
  readonly number: number | undefined;
  readonly counterexample: string | undefined;
  readonly pointOfNoReturn: number | undefined;
  /** What to send to search further; undefined if no bound cut it. */
  readonly further: Further | undefined;
}

const PAGE = 100;
/** Older ones are not looked for. */
const PAGES_MAX = 6;
const AGAIN_MILLIS = 2000;
const WAIT_SECONDS = 30;

/** By scenario. */
export const searches = signal<ReadonlyMap<string, Search>>(new Map());
export const areLoaded = signal(false);

export function mainViolation({ properties }: Exploration): Outcome | undefined {
  return properties.find(({ kind, verdict }) => kind === 'always' && verdict === 'violated');
}

export function searchOf(exploration: Exploration): Search {
  const { id, state, verdict, distinct_states } = exploration;
  const shortest = mainViolation(exploration)?.counterexample;
  return {
    id,
    kind: kindOf(state, verdict),
    number: shortest?.steps ?? distinct_states ?? undefined,
    counterexample: shortest?.id,
    pointOfNoReturn: shortest?.point_of_no_return,
    further: doubled(exploration),
  };
}

function kindOf(state: Exploration['state'], verdict: Api['Verdict'] | undefined): VerdictKind {
  if (state === 'queued' || state === 'running' || state === 'paused') return 'running';
  if (state !== 'succeeded') return 'failed';
  return verdict === 'violated' || verdict === 'holds' ? verdict : 'undecided';
}

export async function loadSearches(): Promise<void> {
  const found = new Map<string, Search>();
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
    const { items, next_cursor } = await get('/v1/explorations', { query });
    for (const item of items) {
      if (item.scenario !== undefined && !found.has(item.scenario)) {
        found.set(item.scenario, searchOf(item));
      }
    }
    if (next_cursor === null) break;
    cursor = next_cursor;
  }
  searches.value = found;
  areLoaded.value = true;
}

function put(exploration: Exploration): void {
  const { scenario } = exploration;
  if (scenario === undefined) return;
  searches.value = new Map(searches.value).set(scenario, searchOf(exploration));
}

/** Searches a scenario and waits for the end, as long as one request may. */
export async function search(scenario: string, signal?: AbortSignal): Promise<Exploration> {
  const exploration = await post('/v1/explorations', {
    body: { scenario },
    headers: { prefer: `wait=${WAIT_SECONDS}` },
    ...(signal === undefined ? {} : { signal }),
  });
  put(exploration);
  return exploration;
}

/** Starts a search of which the caller does not wait for the end. */
export async function searchFurther(body: Further): Promise<Exploration> {
  const exploration = await post('/v1/explorations', { body });
  put(exploration);
  return exploration;
}

/** Follows the events while a screen shows searches. */
export function followSearches(): () => void {
  const reload = (): void => void loadSearches().catch(() => undefined);
  return listen({
    gap: reload,
    event: ({ type, subject }) => {
      if (type === 'exploration.deleted') reload();
      else if (type === 'exploration.ended') void refresh(subject);
      else if (type === 'exploration.progress') showRunning(subject);
    },
  });
}

async function refresh(id: string): Promise<void> {
  try {
    put(await get('/v1/explorations/{exploration}', { path: { exploration: id } }));
  } catch (error) {
    const { status, retrySeconds } = asProblem(error);
    // Refused for good: if it was deleted in the meantime, another event says so.
    if (status >= 400 && status < 500 && status !== 429) return;
    // The service has gone away since the event, which does not come again.
    const millis = retrySeconds === undefined ? AGAIN_MILLIS : retrySeconds * 1000;
    setTimeout(() => void refresh(id), millis);
  }
}

function showRunning(id: string): void {
  const isKnown = [...searches.peek().values()].some((one) => one.id === id);
  if (!isKnown) void refresh(id);
}
