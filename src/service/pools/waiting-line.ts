/**
 * Machines that wait for something to run. When there may be something in a pool they look a few at a time, the longest waiting
 * first, and only as long as there is something: hundreds may wait, and one run is for one of them.
 */
import type { Notices } from '../../store/notices.js';

/** How many look at once. */
const TOGETHER = 4;
/** A notice may be lost with its connection; they look anyway, but seldom: there may be many. */
const LOOK_MILLIS = 15_000;

interface Waiter {
  look(): Promise<void>;
  fail(error: unknown): void;
}

export class WaitingLine {
  private readonly waiters = new Set<Waiter>();
  private stop: (() => void) | undefined;
  private isLooking = false;
  /** There was a notice while they looked. */
  private isDirty = false;

  /** `hasWork`: whether it is worth looking. If it throws, nobody waits any longer. */
  constructor(
    private readonly notices: Notices,
    private readonly notice: string,
    private readonly hasWork: () => Promise<boolean>,
  ) {}

  get isEmpty(): boolean {
    return this.waiters.size === 0;
  }

  /** Looks until there is something, for at most so long and until `end`, and then once more. */
  wait<Found>(
    look: () => Promise<Found | undefined>,
    millis: number,
    end: AbortSignal,
  ): Promise<Found | undefined> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      let turns = Promise.resolve();
      const settle = (answer: () => void): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        end.removeEventListener('abort', stop);
        this.leave(waiter);
        answer();
      };
      const lookOnce = async (): Promise<void> => {
        if (isOver) return;
        try {
          const found = await look();
          if (found !== undefined) settle(() => resolve(found));
        } catch (error) {
          settle(() => reject(error));
        }
      };
      // One after the other: what a look has found must not be lost to what comes after it.
      const take = (turn: () => Promise<void> | void): Promise<void> => {
        turns = turns.then(turn);
        return turns;
      };
      const waiter: Waiter = {
        look: () => take(lookOnce),
        fail: (error) => void take(() => settle(() => reject(error))),
      };
      const stop = (): void => {
        void take(lookOnce);
        void take(() => settle(() => resolve(undefined)));
      };
      const timer = setTimeout(stop, millis);
      end.addEventListener('abort', stop, { once: true });
      // Listening comes before looking, so that nothing falls in between.
      this.join(waiter);
      void take(lookOnce);
      if (end.aborted) stop();
    });
  }

  private join(waiter: Waiter): void {
    this.waiters.add(waiter);
    if (this.stop !== undefined) return;
    const listener = () => void this.letLook();
    const stopListening = this.notices.listen(this.notice, listener);
    const timer = setInterval(listener, LOOK_MILLIS).unref();
    this.stop = () => {
      stopListening();
      clearInterval(timer);
    };
  }

  private leave(waiter: Waiter): void {
    this.waiters.delete(waiter);
    if (this.waiters.size > 0) return;
    this.stop?.();
    this.stop = undefined;
  }

  private async letLook(): Promise<void> {
    this.isDirty = true;
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      while (this.isDirty) {
        this.isDirty = false;
        await this.letAllLook([...this.waiters]);
      }
    } catch (error) {
      for (const waiter of this.waiters) waiter.fail(error);
    } finally {
      this.isLooking = false;
    }
  }

  private async letAllLook(waiters: readonly Waiter[]): Promise<void> {
    for (let at = 0; at < waiters.length && (await this.hasWork()); at += TOGETHER) {
      await Promise.all(waiters.slice(at, at + TOGETHER).map((waiter) => waiter.look()));
    }
  }
}
