/** Work that could not be ended because the database was away is given back as soon as it is there again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { awayReason } from '../store/database-errors.js';

const TRIES_MAX = 60;
const PAUSE_MILLIS = 1000;

/** Never rejects; a process that ends before it could give its work back is counted as one that died. */
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
