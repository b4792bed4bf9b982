/**
 * Group commit: while one statement is in progress, further writes gather, and the next statement takes all of them. A single
 * write goes out at once; under load many share one flush to disk.
 */
import { isRefused } from './database-errors.js';

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Is told how long each write took, and of how many items. */
export type OnWritten = (seconds: number, items: number) => void;

export class GroupCommit<Item, Result> {
  private readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  private readonly underWayMax: number;
  private readonly onWritten: OnWritten | undefined;
  private waiting: Waiting<Item, Result>[] = [];
  private underWay = 0;
  private scheduled = false;

  /**
   * `write` returns a result for each item, in order, or throws. If the database rejected the statement, each item is retried
   * alone, so one bad item does not fail the batch. After any other error the batch may have been written, and a retry could
   * write it twice.
   */
  constructor(
    write: (items: readonly Item[]) => Promise<readonly Result[]>,
    underWayMax = UNDER_WAY_MAX,
    onWritten?: OnWritten,
  ) {
    this.write = write;
    this.underWayMax = underWayMax;
    this.onWritten = onWritten;
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.schedule();
    });
  }

  /** Writes after all requests that arrived together have added their items. */
  private schedule(): void {
    if (this.scheduled || this.underWay >= this.underWayMax) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    const group = this.waiting.splice(0, GROUP_MAX);
    if (group.length === 0) return;
    this.underWay += 1;
    const start = performance.now();
    try {
      const results = await this.write(group.map(({ item }) => item));
      this.onWritten?.((performance.now() - start) / 1000, group.length);
      group.forEach(({ resolve }, at) => {
        resolve(results[at] as Result);
      });
    } catch (error) {
      if (group.length > 1 && isRefused(error)) await this.writeAlone(group);
      else for (const { reject } of group) reject(error);
    } finally {
      this.underWay -= 1;
      if (this.waiting.length > 0) this.schedule();
    }
  }

  private async writeAlone(group: readonly Waiting<Item, Result>[]): Promise<void> {
    for (const { item, resolve, reject } of group) {
      try {
        const [result] = await this.write([item]);
        resolve(result as Result);
      } catch (error) {
        reject(error);
      }
    }
  }
}

/** One statement is flushed while the next is executed. */
const UNDER_WAY_MAX = 2;
const GROUP_MAX = 256;
