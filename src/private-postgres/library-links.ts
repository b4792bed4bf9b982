/**
 * The symbolic links between PostgreSQL's libraries. npm packs none, so the package makes them in
 * a script after installation, which `--ignore-scripts` leaves out. Without them the programs do
 * not find their libraries.
 */
import { mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, DataDirError } from './data-dir.js';

interface Link {
  readonly source: string;
  readonly target: string;
}

export async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as Link[]) {
    const path = join(dirname(native), target);
    if (await exists(path)) continue;
    try {
      await mkdir(dirname(path), { recursive: true });
      // All links of the package point to a neighbour.
      await symlink(basename(source), path);
    } catch (error) {
      if (codeOf(error) === 'EEXIST' && (await exists(path))) continue;
      throw new DataDirError(
        `The embedded PostgreSQL lacks ${path}, as its package's install script did not run: run npm rebuild as a user who may write there.`,
        { cause: error },
      );
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
