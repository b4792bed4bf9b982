/** How much memory this process may have, and how much of it a search. */
import { totalmem } from 'node:os';
import process from 'node:process';

const MEGABYTE = 2 ** 20;
/** What the service takes for itself, with a database of its own busy with requests and the threads of two searches, but for their states. */
const OWN_MEGABYTES = 384;
/** So little is still good for a search of a hundred thousand states. */
export const SEARCH_MEGABYTES_MIN = 8;
export const SEARCH_MEGABYTES_MAX = 16_384;

/** Of the machine, or of the control group where that has less. */
export function memoryMegabytes(): number {
  // Where there is no limit Node.js answers 0, or more than any machine has.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(totalmem(), limit) / MEGABYTE);
}

/**
 * The most that the states of one search may take where so many run at once. Half of what there is: threads, and the
 * counterexamples that are rebuilt from the states, need the other half.
 */
export function searchMegabytes(concurrency: number, total = memoryMegabytes()): number {
  const share = Math.floor((total - OWN_MEGABYTES) / 2 / concurrency);
  return Math.min(Math.max(share, SEARCH_MEGABYTES_MIN), SEARCH_MEGABYTES_MAX);
}
