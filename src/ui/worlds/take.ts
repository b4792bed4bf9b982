/** The files of other tools that a run can be taken along in. */

import type { Take } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { addressOfPlace, currentPlace } from '../router.js';
import { type WorldParts, worldKey } from './exploration.js';
import { rememberWorld } from './mine.js';
import type { Exploration } from './searches.js';

const FORMATS = [
  ['vcd', 'VCD (GTKWave, Surfer)', 'vcd'],
  ['chrome', 'Chrome trace (Perfetto)', 'trace.json'],
  ['itf', 'ITF (model checkers)', 'itf.json'],
  ['ftrace', 'ftrace text', 'ftrace'],
  ['jsonl', 'JSON Lines', 'jsonl'],
  ['mermaid', 'Mermaid', 'mmd'],
  ['text', 'Story', 'txt'],
] as const;

/** `route` is a counterexample or a state; `name` is that of the files, without their ending. */
export function takeOf(route: string, name: string): Take[] {
  return FORMATS.map(([format, label, ending]) => ({
    label,
    address: `${route}?format=${format}`,
    name: `${name}.${ending}`,
    ...(format === 'chrome' ? { isForPerfetto: true } : {}),
  }));
}

/** A link to what is on screen that other services understand, too: it names the world and not a search of this one. */
export function usePortableLink(parts: WorldParts, exploration: Exploration): string | undefined {
  const { value } = useLoaded(exploration.id, () => rememberWorld(exploration));
  if (value === undefined) return undefined;
  const { path, query } = currentPlace();
  const rest = path.slice(worldKey(parts).length + 1);
  return addressOfPlace(`/${value}${rest}`, Object.fromEntries(query));
}
