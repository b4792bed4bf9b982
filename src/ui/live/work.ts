/** The searches and campaigns on screen: asked for once, and kept up to date by the events about them. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { type Api, get } from '../api/client.js';
import { listen } from '../api/events.js';
import { asProblem, Problem } from '../api/problem.js';
import { remember } from './samples.js';

export type Exploration = Api['Exploration'];
export type Campaign = Api['Campaign'];

/** The newest; older ones are in the API. */
const SHOWN = 20;

export interface WorkList<T> {
  /** Undefined until they are there. */
  readonly items: readonly T[] | undefined;
  readonly hasMore: boolean;
  readonly problem: Problem | undefined;
  reload(): void;
  /** Shows what the service answered about one. */
  put(item: T): void;
  drop(id: string): void;
}

interface Source<T> {
  readonly prefix: 'exploration' | 'campaign';
  list(): Promise<{ items: T[]; has_more: boolean }>;
  one(id: string): Promise<T>;
  /** What an event of progress says, if it says all. */
  patched?(item: T, event: Api['Event']): T;
}

const EXPLORATIONS: Source<Exploration> = {
  prefix: 'exploration',
  list: () => get('/v1/explorations', { query: { limit: SHOWN } }),
  one: (exploration) => get('/v1/explorations/{exploration}', { path: { exploration } }),
  patched: (item, event) => ({
    ...item,
    state: 'running',
    progress: event.data as unknown as Exploration['progress'],
  }),
};

const CAMPAIGNS: Source<Campaign> = {
  prefix: 'campaign',
  list: () => get('/v1/campaigns', { query: { limit: SHOWN } }),
  one: (campaign) => get('/v1/campaigns/{campaign}', { path: { campaign } }),
};

export const useExplorations = () => useWork(EXPLORATIONS);
export const useCampaigns = () => useWork(CAMPAIGNS);

interface State<T> {
  readonly items?: readonly T[];
  readonly hasMore: boolean;
  readonly problem?: Problem;
}

function useWork<T extends { readonly id: string; readonly created_at: string }>(
  source: Source<T>,
): WorkList<T> {
  const state = useSignal<State<T>>({ hasMore: false });
  const acts = useMemo(() => {
    const known = (): readonly T[] => state.peek().items ?? [];
    const fail = (error: unknown): void => {
      state.value = { ...state.peek(), problem: asProblem(error) };
    };
    const reload = (): void => {
      source.list().then(({ items, has_more }) => {
        state.value = { items, hasMore: has_more };
      }, fail);
    };
    const drop = (id: string): void => {
      state.value = { ...state.peek(), items: known().filter((item) => item.id !== id) };
    };
    const put = (item: T): void => {
      const items = known().some(({ id }) => id === item.id)
        ? known().map((one) => (one.id === item.id ? item : one))
        : [item, ...known()];
      state.value = { ...state.peek(), items };
    };
    const refresh = (id: string): void => {
      source.one(id).then(put, (error: unknown) => {
        // Deleted in the meantime.
        if (error instanceof Problem && error.status === 404) drop(id);
        else fail(error);
      });
    };
    const take = (event: Api['Event']): void => {
      const [prefix, what] = event.type.split('.');
      if (prefix !== source.prefix) return;
      const item = known().find(({ id }) => id === event.subject);
      if (what === 'deleted') drop(event.subject);
      else if (what === 'progress' && item !== undefined && source.patched !== undefined) {
        put(source.patched(item, event));
      } else refresh(event.subject);
      if (what === 'progress') remember(event);
    };
    return { reload, put, drop, take };
  }, [source]);
  useEffect(() => {
    acts.reload();
    return listen({ event: acts.take, gap: acts.reload });
  }, [acts]);
  const { items, hasMore, problem } = state.value;
  return { ...acts, items, hasMore, problem };
}
