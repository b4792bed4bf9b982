/**
 * One service a data directory. The lock is a listening socket, because the kernel lets go of a socket when its process
 * dies, however it dies. The socket lies in the directory, so only who may write there can take the lock, and containers
 * that share the directory share it.
 *
 * The socket of a service that was killed stays behind, and two starters that find it must not both win. So each starter
 * listens in a folder of its own and moves that to the place of the lock: `rename` replaces an empty folder and fails on
 * any other, which the kernel decides in one step. Before, it removes dead sockets from there; as no name of a socket is
 * used twice, that cannot hit one that lives.
 */
import { createHash, randomUUID } from 'node:crypto';
import { chown, mkdtemp, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { codeOf, type DataDir, DataDirError } from './data-dir.js';

export interface Lock {
  release(): Promise<void>;
}

/** `sun_path` has 108 bytes on Linux and 104 elsewhere, with a zero at the end of a path. */
const SOCKET_PATH_BYTES_MAX = 103;
const ABSTRACT_BYTES = 108;
/** Errors of `bind` on a file system without sockets. */
const NO_SOCKETS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);
/** No starter needs its own folder for so long. */
const LEFTOVER_MILLIS = 60_000;

export async function lockDataDir(dir: DataDir): Promise<Lock> {
  const own = await mkdtemp(`${dir.lock}-`);
  const name = randomUUID();
  let server: Server | undefined;
  try {
    server = await listen(own, name);
    await giveToOwner(dir.root, own, name);
    while (!(await takePlace(own, dir.lock))) await removeDead(dir);
    await removeLeftovers(dir);
  } catch (error) {
    await close(server);
    const hasSockets = server !== undefined || !NO_SOCKETS.has(codeOf(error) ?? '');
    if (hasSockets || process.platform !== 'linux') throw error;
    return lockByName(dir);
  } finally {
    // Gone already where it has become the lock.
    await rm(own, { recursive: true, force: true });
  }
  return {
    release: async () => {
      await close(server);
      await rm(join(dir.lock, name), { force: true });
    },
  };
}

/**
 * For shared and network file systems without sockets: an abstract socket. Its name is no file, so any user of this
 * machine could take it, and containers with networks of their own do not see each other's.
 */
async function lockByName(dir: DataDir): Promise<Lock> {
  const hash = createHash('sha256').update(dir.root).digest('hex');
  // As long as the kernel allows: some versions of Node.js fill a shorter name with zero bytes and others do not.
  const name = `\0${`private-postgres-${hash}`.padEnd(ABSTRACT_BYTES - 1, '-')}`;
  const server = await listenAt(name).catch((error: unknown) => {
    throw codeOf(error) === 'EADDRINUSE' ? inUse(dir) : error;
  });
  return { release: () => close(server) };
}

function inUse({ root }: DataDir): DataDirError {
  return new DataDirError(
    `The data directory ${root} is in use by another service: stop that one or choose another directory.`,
  );
}

/** An ordinary user who starts the service next must be able to remove what root created. */
async function giveToOwner(root: string, own: string, name: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(root);
  // In some containers root may not; then its successor has to be root as well.
  for (const path of [join(own, name), own]) await chown(path, uid, gid).catch(() => {});
}

/** Whether there was no lock, or only the folder of one that was released. */
async function takePlace(own: string, place: string): Promise<boolean> {
  try {
    await rename(own, place);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

async function removeDead(dir: DataDir): Promise<void> {
  for (const name of await readdir(dir.lock)) {
    if (await answers(dir.lock, name)) throw inUse(dir);
    await rm(join(dir.lock, name), { force: true });
  }
}

/** Folders of starters that were killed before they had the lock. */
async function removeLeftovers({ root, lock }: DataDir): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(`${basename(lock)}-`)) continue;
    const path = join(root, name);
    const made = await stat(path).catch(() => undefined);
    if (made === undefined || Date.now() - made.mtimeMs < LEFTOVER_MILLIS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

async function answers(folder: string, name: string): Promise<boolean> {
  return byShortPath(folder, name, (path) => {
    return new Promise((resolve) => {
      const socket = connect(path);
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      // EAGAIN is a listener too busy to accept; any other error means no listener.
      socket.on('error', (error) => resolve(codeOf(error) === 'EAGAIN'));
    });
  });
}

function listen(folder: string, name: string): Promise<Server> {
  return byShortPath(folder, name, listenAt);
}

function listenAt(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', reject);
    server.listen({ path, exclusive: true }, () => resolve(server));
    server.unref();
  });
}

/** A path that is too long for a socket is reached through a link. */
async function byShortPath<Result>(
  folder: string,
  name: string,
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  const path = join(folder, name);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return use(path);
  const short = await mkdtemp(join(tmpdir(), 'postgres-lock-'));
  try {
    await symlink(folder, join(short, 'lock'));
    return await use(join(short, 'lock', name));
  } finally {
    await rm(short, { recursive: true, force: true });
  }
}

function close(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (server === undefined) resolve();
    else server.close(() => resolve());
  });
}
