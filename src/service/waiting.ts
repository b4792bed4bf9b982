/** Waits for long work to end, whichever instance runs it. */
import type { Notices } from '../store/notices.js';
import { finished } from '../store/work-store.js';

/** A notice may be lost with its connection, so the row is polled as well. */
const LOOK_MILLIS = 1000;

/** Reads the work until it ends, the timeout passes, or the service stops. */
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
      // Listen before reading, so that no end is missed in between.
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
