/**
 * A copy of the programs for an account that cannot reach the package, as in a clone below /root
 * or in a directory of mktemp. The copy belongs to root, is made once a version, and appears
 * under its name only when it is complete and runs.
 */
import { execFile } from 'node:child_process';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { DataDirError } from './data-dir.js';
import { linkLibraries } from './library-links.js';
import type { Account } from './user.js';

/** An npm package with PostgreSQL's programs. */
export interface Package {
  /** Begins with PostgreSQL's own version. */
  readonly version: string;
  readonly native: string;
}

/** What only people who compile against PostgreSQL need. */
const LEFT_OUT = /\.a$|^pkgconfig$|^pgxs$/;

export async function copyOutOfReach(
  { native, version }: Package,
  account: Account,
  stores: readonly string[],
): Promise<string> {
  const complaints: string[] = [];
  for (const store of stores) {
    const home = join(store, `postgres-${version}-${process.arch}`);
    try {
      await openStore(store);
      if (!(await runs(home, account))) await makeCopy(native, store, home, account);
      return join(home, 'native');
    } catch (error) {
      complaints.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new DataDirError(
    `The account ${account.name}, which PostgreSQL runs as, can neither reach ${native} nor a copy of it (${complaints.join('; ')}): install the service where all users can read it, or start it as an ordinary user.`,
  );
}

/** Only root may have write access, now and when the programs were put there. */
async function openStore(store: string): Promise<void> {
  await mkdir(store, { recursive: true, mode: 0o755 });
  const { uid, mode } = await lstat(store);
  const isOurs = uid === process.getuid?.() && (mode & 0o170022) === 0o040000;
  if (!isOurs) throw new Error(`${store} is not a directory that only root can write`);
  // An umask may have reduced its mode.
  await chmod(store, 0o755);
}

async function makeCopy(
  native: string,
  store: string,
  home: string,
  account: Account,
): Promise<void> {
  const fresh = await mkdtemp(`${home}.new-`);
  try {
    await chmod(fresh, 0o755);
    await copyTree(native, join(fresh, 'native'));
    await linkLibraries(join(fresh, 'native'));
    if (!(await runs(fresh, account))) throw new Error(`programs do not run from ${store}`);
    // Otherwise a power failure could leave an incomplete copy.
    await promisify(execFile)('sync', ['-f', fresh]).catch(() => {});
    // Only if it does not run.
    await rm(home, { recursive: true, force: true });
    await rename(fresh, home).catch(async (error: unknown) => {
      // Another service was faster.
      if (!(await runs(home, account))) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (LEFT_OUT.test(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else {
      await copyFile(source, target);
      await chmod(target, ((await lstat(source)).mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
}

async function runs(home: string, { uid, gid }: Account): Promise<boolean> {
  const program = join(home, 'native', 'bin', 'postgres');
  return promisify(execFile)(program, ['-V'], { uid, gid, cwd: '/', env: { LC_ALL: 'C' } }).then(
    () => true,
    () => false,
  );
}
