/** Where in a world somebody was last, for the rail: screens show the same world one after the other. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { counterexampleAddress, walkAddress } from './addresses.js';

/** The race that the README tells. */
const FIRST_SCENARIO = 'matrix-linux-7.2.6-k3-late';

export const lastRun = signal(counterexampleAddress(FIRST_SCENARIO, 'I1-0'));
export const lastWalk = signal(walkAddress(FIRST_SCENARIO));

export function useLastPlace(place: { value: string }, address: string): void {
  useEffect(() => {
    place.value = address;
  }, [address]);
}
