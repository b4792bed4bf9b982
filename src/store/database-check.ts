/** Whether the database can be used now, also to write: one whose disk is full answers questions as if nothing were wrong. */
import type pg from 'pg';
import { awayReason } from './database-errors.js';

interface DatabaseState {
  readonly ok: boolean;
  /** Why it cannot be used. */
  readonly detail?: string;
}

/**
 * A new table takes a new block of the disk, which a row of a table that is there already need not, and its commit is
 * flushed. A temporary one is in nobody's way, as when the database is dumped.
 */
const WRITE = `
  create temporary table written (n integer) on commit drop;
  insert into written values (1)`;

/** Whoever asks more often is answered by the last write: anybody may ask, as often as they like. */
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
