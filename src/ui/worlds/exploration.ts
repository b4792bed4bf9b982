/** The search behind an address: the one that is named, or the newest of a scenario, which is searched if it never was. */
import { get } from '../api/client.js';
import { type Loaded, useLoaded } from '../load.js';
import { addressOfPlace } from '../router.js';
import { findModel } from './portable.js';
import { type Exploration, search } from './searches.js';

/** Where a world comes from: a scenario by its name, a model of one's own, or one search of this service. */
export interface WorldParts {
  readonly scenario?: string;
  readonly model?: string;
  readonly exploration?: string;
}

/** So many are looked at for one that has not failed. */
const NEWEST = 5;

export function worldKey({ scenario, model, exploration }: WorldParts): string {
  if (scenario !== undefined) return `s/${scenario}`;
  return model === undefined ? `e/${exploration}` : `m/${model}`;
}

/** One walk can be shown without a search of all; where there is no search yet, that of `states` will do. */
export function useExploration(parts: WorldParts, states?: number): Loaded<Exploration> {
  const load = (signal: AbortSignal) => find(parts, states, signal);
  const loaded: Loaded<Exploration> = useLoaded(worldKey(parts), load, {
    changes: ({ type, subject }) =>
      subject === (parts.exploration ?? loaded.value?.id) && type.startsWith('exploration.'),
  });
  return loaded;
}

/** Whether a search is still on its way. */
export function isUnfinished({ state }: Exploration): boolean {
  return state === 'queued' || state === 'running' || state === 'paused';
}

async function find(
  { scenario, model, exploration }: WorldParts,
  states: number | undefined,
  signal: AbortSignal,
) {
  if (model !== undefined) return findModel(model, states, signal);
  if (exploration !== undefined) {
    return get('/v1/explorations/{exploration}', { path: { exploration }, signal });
  }
  const query = { scenario: scenario!, limit: NEWEST };
  const { items } = await get('/v1/explorations', { query, signal });
  const ended = items.find(({ state }) => state === 'succeeded');
  return ended ?? items.find(isUnfinished) ?? search(scenario!, signal);
}

/** The world in words: kernel, CPU and when NMIs come. */
export function worldTitle({ model, scenario }: Exploration): string {
  const timing = model.nmi_timing === 'late' ? 'late NMIs' : 'prompt NMIs';
  const world = `${model.kernel} · ${model.cpu_model} · ${timing}`;
  return scenario === undefined || scenario.startsWith('matrix-')
    ? world
    : `${scenario} · ${world}`;
}

/** The address of a place in a world. */
export function worldPlace(parts: WorldParts, place: string): string {
  return addressOfPlace(`/${worldKey(parts)}/${place.replace(/\/$/, '')}`);
}

/** What to send to have the same world searched. */
export function worldBody({ scenario, model }: Exploration): object {
  return scenario === undefined ? { model } : { scenario };
}
