/** Waiting for the end of long work, whichever instance carries it out. */
import type { Notices } from '../store/notices.js';
import { finished } from '../store/work-store.js';

/** A notice may be lost with its connection; the row is looked at anyway. */
const LOOK_MILLIS = 1000;

/** Reads the work again and again until it has ended, or so long, or until the service stops. */
export async function waitForEnd<Item extends { readonly finished_at?: string }>(
  notices: Notices,
  id: string,
  millis: number,
  closing: AbortSignal,
  read: () => Promise<Item>,
): Promise<Item> {
  const until = performance.now() + millis;
  for (;;) {
    const left = until - performance.now();
    const listening = new AbortController();
    try {
      // Listening comes before looking, so that no end falls in between.
      const pause = Math.min(left, LOOK_MILLIS);
      const heard = notices.next(finished(id), pause, listening.signal, closing);
      const item = await read();
      if (left <= 0 || closing.aborted || item.finished_at !== undefined) return item;
      await heard;
    } finally {
      listening.abort();
    }
  }
}
