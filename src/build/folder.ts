/** Folders of what is built are put in place whole, so that nobody who builds or starts at the same time sees half of one. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import process from 'node:process';

/** `fill` is given the folder that then takes the place of `target`. */
export async function replaceFolder(
  target: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const [folder, old] = [`${target}.new-${process.pid}`, `${target}.old-${process.pid}`];
  const remove = (path: string): void => rmSync(path, { recursive: true, force: true });
  try {
    remove(folder);
    mkdirSync(folder, { recursive: true });
    await fill(folder);
    move(target, old);
    move(folder, target);
  } finally {
    remove(folder);
    remove(old);
  }
}

/** Another build may have been quicker: it has moved the old one away, or put the same new one in its place. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(code)) throw error;
  }
}
