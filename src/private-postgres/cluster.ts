/**
 * The cluster: creates it, or checks whether an existing one can be used.
 *
 * As root, initdb runs with the cluster as its working directory and gets `/proc/self/cwd` as path:
 * the kernel follows that link straight to the directory, so an account that cannot traverse the
 * directories above it can still work in it.
 */
import { spawn } from 'node:child_process';
import {
  chmod,
  chown,
  lchown,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import process from 'node:process';
import type { Binaries } from './binaries.js';
import type { Login } from './connection.js';
import {
  codeOf,
  type DataDir,
  DataDirError,
  readPassword,
  requireFreeSpace,
  writeNewPassword,
} from './data-dir.js';
import type { Account } from './user.js';

/** Nothing of the machine's locale and of the caller's PG* variables reaches PostgreSQL. */
export function serverEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/** The path of the cluster for PostgreSQL, which runs with it as its working directory. */
export function clusterArgument(cluster: string, account: Account | undefined): string {
  return account !== undefined && process.platform === 'linux' ? '/proc/self/cwd' : cluster;
}

/** Makes the cluster with a role of this name the first time. Returns how it is logged in to. */
export async function prepareCluster(
  dir: DataDir,
  binaries: Binaries,
  account: Account | undefined,
  name: string,
): Promise<Login> {
  await removeHalfMade(dir);
  if (!(await hasCluster(dir))) return makeCluster(dir, binaries, account, name);
  await requireVersion(dir, binaries);
  await requireOwner(dir, account);
  return { name, password: await readPassword(dir) };
}

/** Leftovers of a killed initdb. Their names are never reused: it may still be writing. */
async function removeHalfMade({ root, cluster }: DataDir): Promise<void> {
  const prefix = `${basename(cluster)}.new`;
  for (const name of await readdir(root)) {
    if (!name.startsWith(prefix)) continue;
    await rm(join(root, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

async function hasCluster({ cluster, root }: DataDir): Promise<boolean> {
  const names = await readdir(cluster).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (names === undefined) return false;
  if (names.length === 0) {
    await rmdir(cluster);
    return false;
  }
  if (names.includes('PG_VERSION')) return true;
  throw new DataDirError(
    `${cluster} in the data directory ${root} is not a PostgreSQL database: move it away to start empty.`,
  );
}

async function requireVersion({ cluster, root }: DataDir, { major }: Binaries): Promise<void> {
  const version = (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim();
  if (version === major) return;
  throw new DataDirError(
    `The data directory ${root} was written by PostgreSQL ${version} and this is PostgreSQL ${major}: dump it with the old version, or move it away to start empty.`,
  );
}

async function requireOwner({ cluster }: DataDir, account: Account | undefined): Promise<void> {
  const { uid } = await stat(cluster);
  if (account !== undefined && uid !== account.uid) await chownTree(cluster, account);
  else if (account === undefined && process.getuid !== undefined && uid !== process.getuid()) {
    throw new DataDirError(
      `The database ${cluster} belongs to user ${uid}: start the service as that user, or change the owner.`,
    );
  }
  // A copy or a backup may have widened the mode, which PostgreSQL rejects.
  await chmod(cluster, 0o700);
}

/** The top directory comes last, so that the next start resumes an interrupted run. */
async function chownTree(path: string, account: Account): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await chownTree(child, account);
    else await lchown(child, account.uid, account.gid);
  }
  await chown(path, account.uid, account.gid);
}

async function makeCluster(
  dir: DataDir,
  binaries: Binaries,
  account: Account | undefined,
  name: string,
): Promise<Login> {
  await requireFreeSpace(dir);
  const password = await writeNewPassword(dir);
  const fresh = await mkdtemp(`${dir.cluster}.new-`);
  const passwordFile = `${fresh}.password`;
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    if (account !== undefined) {
      await chown(passwordFile, account.uid, account.gid);
      await chown(fresh, account.uid, account.gid);
    }
    await runInitdb(dir, name, fresh, passwordFile, binaries, account);
    await rename(fresh, dir.cluster);
    await syncDirectory(dir.root);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(fresh, { recursive: true, force: true, maxRetries: 5 });
  }
  return { name, password };
}

async function runInitdb(
  { root }: DataDir,
  name: string,
  fresh: string,
  passwordFile: string,
  { initdb }: Binaries,
  account: Account | undefined,
): Promise<void> {
  const pgdata = clusterArgument(fresh, account);
  // Like the cluster, the password may be out of reach of the account, so it is passed as an open file.
  const pwfile = pgdata === fresh ? passwordFile : '/proc/self/fd/0';
  const stdin = await open(passwordFile, 'r');
  try {
    const child = spawn(
      initdb,
      [`--username=${name}`, ...INITDB_ARGUMENTS, `--pgdata=${pgdata}`, `--pwfile=${pwfile}`],
      {
        cwd: fresh,
        env: serverEnvironment(),
        stdio: [stdin.fd, 'ignore', 'pipe'],
        ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
      },
    );
    let err = '';
    child.stderr?.on('data', (chunk) => {
      err += chunk;
    });
    const code = await new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('close', (code, signal) => resolve(code ?? signal));
    });
    if (code !== 0) throw initdbError(root, err, String(code));
  } finally {
    await stdin.close();
  }
}

/** The built-in locale gives the same order and the same letters on every machine. */
const INITDB_ARGUMENTS = [
  '--auth-host=scram-sha-256',
  '--auth-local=reject',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-instructions',
];

function initdbError(root: string, err: string, code: string): DataDirError {
  const lines = err.trim().split('\n');
  const complaint = lines.findLast((line) => /error|fatal|panic/i.test(line)) ?? lines.at(-1);
  const reason =
    complaint === undefined || complaint === '' ? `initdb ended with ${code}` : complaint;
  return new DataDirError(`Creating a database in the data directory ${root} failed: ${reason}`);
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
