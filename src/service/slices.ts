/** Long computations on the event loop, cut into slices so that other requests are answered in between. */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long one slice may hold the event loop. */
const SLICE_MILLIS = 10;

export class Slices {
  private start = performance.now();

  /** Lets others in when the slice is used up. Cheap enough to call every few dozen microseconds. */
  async pause(): Promise<void> {
    if (performance.now() - this.start > SLICE_MILLIS) {
      await nextTurn();
      this.start = performance.now();
    }
  }
}
