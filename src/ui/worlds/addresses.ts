/** The addresses of worlds: they name the world and not an id of this service, so that they mean the same on another. */
import { addressOfPlace } from '../router.js';

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
