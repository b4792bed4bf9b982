/** The addresses of worlds: they name the world and not an id of this service, so that they mean the same on another. */
import type { Api } from '../api/client.js';
import { addressOfPlace } from '../router.js';
import { type Search, searches } from './searches.js';

export function counterexampleAddress(
  scenario: string,
  counterexample: string,
  step?: number,
): string {
  return addressOfPlace(`/s/${scenario}/ce/${counterexample}`, { step });
}

export function walkAddress(scenario: string, path = ''): string {
  return addressOfPlace(`/s/${scenario}/walk${path === '' ? '' : `/${path}`}`);
}

/** Where a scenario is best seen: the run that breaks it, or a walk. One that was not searched is searched there. */
export function scenarioAddress(
  scenario: Api['Scenario'],
  search: Search | undefined = searches.peek().get(scenario.id),
): string {
  if (search?.counterexample !== undefined) {
    return counterexampleAddress(scenario.id, search.counterexample, search.pointOfNoReturn);
  }
  const properties = Object.entries(scenario.expected.properties ?? {});
  const violated = properties.find(([, verdict]) => verdict === 'violated');
  if (search !== undefined || violated === undefined) return walkAddress(scenario.id);
  return counterexampleAddress(scenario.id, `${violated[0]}-0`);
}
