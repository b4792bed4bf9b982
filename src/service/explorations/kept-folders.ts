/**
 * Where large searches keep their levels: a folder for each under DATA_DIR, which says in `search.json` what it belongs to.
 * What another search, or another build of the service, has kept is not used.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptLevelsOptions } from '../../explorer/kept-levels.js';

/** At most so many searches keep their levels at once, each with an equal part of the room. */
export const SEARCHES_KEPT_MAX = 8;

export class KeptFolders {
  private readonly dataDir: string;
  private readonly root: string;
  private readonly bytesMax: number;

  constructor(dataDir: string, megabytesMax: number) {
    this.dataDir = dataDir;
    this.root = join(dataDir, 'searches');
    this.bytesMax = Math.floor((megabytesMax * 2 ** 20) / SEARCHES_KEPT_MAX);
  }

  /** The folder of a search, made if need be; undefined where there is no room for it or none can be made. */
  async folderOf(id: string, search: object): Promise<KeptLevelsOptions | undefined> {
    if (this.bytesMax === 0) return undefined;
    const folder = join(this.root, id);
    const description = JSON.stringify({ build: await build(), search });
    try {
      if ((await readFile(join(folder, 'search.json'), 'utf8').catch(() => '')) !== description) {
        await this.remove(id);
        if ((await this.ids()).length >= SEARCHES_KEPT_MAX) return undefined;
        for (const path of [this.dataDir, this.root, folder]) await makeFolder(path);
        await writeFile(join(folder, 'search.json'), description);
      }
      return { folder, bytesMax: this.bytesMax };
    } catch {
      return undefined;
    }
  }

  async remove(id: string): Promise<void> {
    await rm(join(this.root, id), { recursive: true, force: true });
  }

  /** The searches that have a folder. */
  async ids(): Promise<string[]> {
    return readdir(this.root).catch(() => []);
  }
}

/** Not with its parents: in /proc, Node would try for ever. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

let known: Promise<string> | undefined;

/** A hash of the code that runs. */
function build(): Promise<string> {
  known ??= hashOfFiles(new URL('../../', import.meta.url).pathname);
  return known;
}

async function hashOfFiles(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(folder, { recursive: true });
  for (const name of names.filter((one) => one.endsWith('.js')).sort()) {
    hash.update(name).update(await readFile(join(folder, name)));
  }
  return hash.digest('hex');
}
