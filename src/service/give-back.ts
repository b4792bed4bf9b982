/** Gives back work that could not be finished because the database was unavailable, once it is available again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { awayReason } from '../store/database-errors.js';

const TRIES_MAX = 60;
const PAUSE_MILLIS = 1000;

/** Never rejects. A process that exits before it could give its work back counts as one that died. */
export async function giveBack(release: () => Promise<void>): Promise<void> {
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    try {
      await release();
      return;
    } catch (error) {
      if (awayReason(error) === undefined) return;
      await sleep(PAUSE_MILLIS, undefined, { ref: false });
    }
  }
}
