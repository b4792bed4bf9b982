/**
 * DATA_DIR: its layout, and the error an operator sees if it cannot be used.
 *
 *   postgres/            the cluster, 0700
 *   postgres-password    of the only role, 0600
 *   postgres.log         the log of the server, kept small
 *   service.lock/        has a socket of the service that uses the directory
 *   searches/            what large searches keep until they end (service/explorations/kept-folders.ts)
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, realpath, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** An expected failure, with a message that says what to do; never shown with a stack. */
export class DataDirError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DataDirError';
  }
}

export interface DataDir {
  readonly root: string;
  readonly cluster: string;
  readonly password: string;
  readonly log: string;
  readonly lock: string;
}

/** A new cluster is 47 MB; the rest is room for the first rows. */
const FREE_BYTES_MIN = 60 * 1024 * 1024;

/** Creates the directory if necessary and checks whether it can be written. */
export async function openDataDir(path: string): Promise<DataDir> {
  const wanted = resolve(path);
  try {
    await makeFolder(wanted);
    const dir = layOut(await realpath(wanted));
    // Asks the file system itself: to root, mode bits say nothing about a read-only mount.
    await (await open(dir.log, 'a', 0o600)).close();
    return dir;
  } catch (error) {
    throw explain(error, wanted);
  }
}

/**
 * Not Node's recursive `mkdir`: where nothing can be made, as in /proc, the kernel says that the parent is missing, and Node
 * makes the parent that is there again and again, for ever.
 */
async function makeFolder(path: string): Promise<void> {
  const make = (): Promise<void> => mkdir(path, { mode: 0o700 });
  try {
    await make().catch(async (error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      await makeFolder(dirname(path));
      await make();
    });
  } catch (error) {
    const isThere = codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory();
    if (!isThere) throw error;
  }
}

function layOut(root: string): DataDir {
  return {
    root,
    cluster: join(root, 'postgres'),
    password: join(root, 'postgres-password'),
    log: join(root, 'postgres.log'),
    lock: join(root, 'service.lock'),
  };
}

export async function requireFreeSpace({ root }: DataDir): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize >= FREE_BYTES_MIN) return;
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  throw new DataDirError(
    `The disk of the data directory ${root} is full: a new database needs about 60 MB and ${free} MB are free.`,
  );
}

/** Flushed to disk before the cluster with this password is created. */
export async function writeNewPassword({ password: path }: DataDir): Promise<string> {
  const password = randomBytes(32).toString('base64url');
  const file = await open(path, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${password}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return password;
}

export async function readPassword({ password: path }: DataDir): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new DataDirError(
      `The password of the database is missing: put back the file ${path}, or move the data directory away to start empty.`,
    );
  });
  return text.trim();
}

/** Turns the error of a system call into a sentence; unknown errors are returned unchanged. */
export function explain(error: unknown, root: string): unknown {
  const reason = REASONS[codeOf(error) ?? ''];
  if (reason === undefined || error instanceof DataDirError) return error;
  const { path } = error as NodeJS.ErrnoException;
  const where = path === undefined || path === root ? '' : ` (at ${path})`;
  return new DataDirError(`The data directory ${root} ${reason}${where}.`, { cause: error });
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'is not writable by this user',
  EPERM: 'is not writable by this user',
  EROFS: 'lies on a read-only file system',
  ENOSPC: 'lies on a full disk',
  EDQUOT: 'is over its disk quota',
  EEXIST: 'is not a directory',
  ENOTDIR: 'is not a directory',
  ENOENT: 'cannot be created',
  ELOOP: 'is a symbolic link to itself',
  ENAMETOOLONG: 'has too long a name',
  EIO: 'lies on a disk that fails',
};

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
