/** A data directory of the service under the system's temporary folder, and the PostgreSQL server that may run on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataDir } from '../../src/private-postgres/data-dir.js';
import { findLeftover, stopPostmaster } from '../../src/private-postgres/postmaster.js';

export class DataFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<DataFolder> {
    return new DataFolder(await mkdtemp(join(tmpdir(), 'pebslab-crash-')));
  }

  /** Whether a PostgreSQL server runs on it. */
  async isServed(): Promise<boolean> {
    const { cluster } = await openDataDir(this.path);
    return (await findLeftover(cluster)) !== undefined;
  }

  async remove(): Promise<void> {
    const { cluster } = await openDataDir(this.path);
    const leftover = await findLeftover(cluster);
    if (leftover !== undefined) await stopPostmaster(leftover);
    await rm(this.path, { recursive: true, force: true });
  }
}
