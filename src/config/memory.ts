/** How much memory this process may use, and how much of it one search. */
import { totalmem } from 'node:os';
import process from 'node:process';

const MEGABYTE = 2 ** 20;
/** The service itself: a busy private database and the threads of two searches, without their states. */
const OWN_MEGABYTES = 384;
/** Enough for a search of a hundred thousand states. */
export const SEARCH_MEGABYTES_MIN = 8;
export const SEARCH_MEGABYTES_MAX = 16_384;

/** The memory of the machine, or of the control group if that is less. */
export function memoryMegabytes(): number {
  // Without a limit Node.js returns 0, or more than any machine has.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(totalmem(), limit) / MEGABYTE);
}

/**
 * The limit for the states of one search when `concurrency` run at once. Half of the memory: threads, and the counterexamples
 * rebuilt from the states, need the other half.
 */
export function searchMegabytes(concurrency: number, total = memoryMegabytes()): number {
  const share = Math.floor((total - OWN_MEGABYTES) / 2 / concurrency);
  return Math.min(Math.max(share, SEARCH_MEGABYTES_MIN), SEARCH_MEGABYTES_MAX);
}
