/**
 * One service a data directory. The lock is a listening socket, because the kernel lets go of a
 * socket when its process dies, however it dies.
 *
 * On Linux an abstract socket decides: binding it is atomic, so two starters cannot both win. Its
 * names are per network namespace, though, and containers that share a volume do not share one;
 * therefore the socket file is taken as well, which every process of this kernel can reach.
 * Elsewhere there is only the file; two starters that find the same dead file could both take it.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { codeOf, type DataDir, DataDirError } from './data-dir.js';

export interface Lock {
  release(): Promise<void>;
}

/** What `sun_path` holds on Linux; elsewhere it is a little less. */
const ABSTRACT_BYTES = 108;
const PATH_BYTES_MAX = 100;

export async function lockDataDir(dir: DataDir): Promise<Lock> {
  const servers: Server[] = [];
  const release = async (): Promise<void> => {
    for (const server of servers.splice(0)) await close(server);
  };
  try {
    if (process.platform === 'linux') servers.push(await listen(abstractName(dir.root)));
    const file = await listenOnFile(socketPath(dir));
    if (file !== undefined) servers.push(file);
    return { release };
  } catch (error) {
    await release();
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw new DataDirError(
      `The data directory ${dir.root} is in use by another service: stop that one or choose another directory.`,
    );
  }
}

/**
 * As long as the kernel allows: some versions of Node.js fill a shorter name with zero bytes and
 * others do not, which would be two names.
 */
function abstractName(root: string): string {
  return `\0${`pebslab-${hash(root)}`.padEnd(ABSTRACT_BYTES - 1, '-')}`;
}

function socketPath({ root, socket }: DataDir): string {
  if (Buffer.byteLength(socket) <= PATH_BYTES_MAX) return socket;
  return join(tmpdir(), `pebslab-${hash(root).slice(0, 24)}.sock`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function listenOnFile(path: string): Promise<Server | undefined> {
  if (await answers(path)) throw Object.assign(new Error(path), { code: 'EADDRINUSE' });
  await rm(path, { force: true });
  return listen(path).catch((error: unknown) => {
    // Some network and shared file systems have no sockets. The abstract one still holds.
    if (codeOf(error) === 'EADDRINUSE' || process.platform !== 'linux') throw error;
    return undefined;
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // EAGAIN is a listener too busy to accept; everything else is nobody.
    socket.on('error', (error) => resolve(codeOf(error) === 'EAGAIN'));
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', reject);
    // Whoever it belongs to, every user must be able to ask whether it lives.
    const everybody = path.startsWith('\0') ? {} : { readableAll: true, writableAll: true };
    server.listen({ path, exclusive: true, ...everybody }, () => resolve(server));
    server.unref();
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
