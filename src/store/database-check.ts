/** Whether the database can be used now, also for writing: with a full disk it still answers queries. */
import type pg from 'pg';
import { awayReason } from './database-errors.js';

interface DatabaseState {
  readonly ok: boolean;
  /** Why it cannot be used. */
  readonly detail?: string;
}

/**
 * A new table always needs a new block on disk, unlike a row in an existing table, and its commit is flushed. A temporary one
 * disturbs nothing, a dump of the database for instance.
 */
const WRITE = `
  create temporary table written (n integer) on commit drop;
  insert into written values (1)`;

/** More frequent checks get the last result: the route is open, and may be polled at any rate. */
const WRITE_EVERY_MILLIS = 1000;

export class DatabaseCheck {
  private readonly pool: pg.Pool;
  private writing: Promise<void> | undefined;
  private writtenAt = Number.NEGATIVE_INFINITY;

  constructor(pool: pg.Pool) {
    this.pool = pool;
  }

  async run(): Promise<DatabaseState> {
    try {
      if (performance.now() - this.writtenAt < WRITE_EVERY_MILLIS)
        await this.pool.query('select 1');
      else await this.write();
      return { ok: true };
    } catch (error) {
      return { ok: false, detail: awayReason(error) ?? 'the database fails' };
    }
  }

  private write(): Promise<void> {
    this.writing ??= this.pool
      .query(WRITE)
      .then(() => {
        this.writtenAt = performance.now();
      })
      .finally(() => {
        this.writing = undefined;
      });
    return this.writing;
  }
}
