/**
 * Group commit: while one statement is under way, what else is to be written gathers, and the next statement takes all of
 * it. Alone a write goes out at once; under load many share one flush of the disk.
 */
import { isRefused } from './database-errors.js';

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit<Item, Result> {
  private readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  private readonly underWayMax: number;
  private waiting: Waiting<Item, Result>[] = [];
  private underWay = 0;
  private scheduled = false;

  /**
   * `write` answers with a result for each item, in their order, or throws. Where the database refused it, each item is
   * tried alone, so that one which cannot be written does not hinder the others. After any other error it may have been
   * written all the same, and trying again could write it twice.
   */
  constructor(
    write: (items: readonly Item[]) => Promise<readonly Result[]>,
    underWayMax = UNDER_WAY_MAX,
  ) {
    this.write = write;
    this.underWayMax = underWayMax;
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.schedule();
    });
  }

  /** Writes after the requests that arrived together have added theirs. */
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
    try {
      const results = await this.write(group.map(({ item }) => item));
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

/** One statement is flushed while the next is carried out. */
const UNDER_WAY_MAX = 2;
const GROUP_MAX = 256;
