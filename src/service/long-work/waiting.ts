/** Waiting for what any instance may change. */
import type { Database } from '../../store/database.js';

/** A notice may be lost with its connection; what is waited for is looked at anyway. */
const LOOK_MILLIS = 1000;

/** Reads an item until it is over, for at most so long and until `closing` is given; a notice says when to look again. */
export async function waitFor<Item>(
  { notices }: Database,
  notice: string,
  closing: AbortSignal,
  millis: number,
  read: () => Promise<Item>,
  isOver: (item: Item) => boolean,
): Promise<Item> {
  const until = performance.now() + millis;
  for (;;) {
    const left = until - performance.now();
    const listening = new AbortController();
    try {
      // Listening comes before looking, so that no end falls in between.
      const heard = notices.next(notice, Math.min(left, LOOK_MILLIS), listening.signal, closing);
      const item = await read();
      if (left <= 0 || closing.aborted || isOver(item)) return item;
      await heard;
    } finally {
      listening.abort();
    }
  }
}
