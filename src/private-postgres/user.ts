/**
 * The account PostgreSQL runs as. It refuses to run as root, so a service started by root uses
 * an existing unprivileged account; no account is ever created or changed.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import process from 'node:process';
import { DataDirError } from './data-dir.js';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const NAMES = ['postgres', '_postgres', 'nobody'] as const;

export const READ = 4;
export const EXECUTE = 1;

/**
 * The account for a cluster; undefined when the service's own user will do. A cluster that has an
 * unprivileged owner keeps it, so that one directory works for root and for its owner by turns.
 */
export async function serverAccount(cluster: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(cluster).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) {
    return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  }
  const accounts = await readAccounts();
  for (const name of NAMES) {
    const account = accounts.find((known) => known.name === name);
    if (account !== undefined && account.uid !== 0) return account;
  }
  throw new DataDirError(
    'PostgreSQL does not run as root, and there is no account postgres or nobody to run it as: start the service as an ordinary user.',
  );
}

async function readAccounts(): Promise<Account[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, name, uid, gid] = /^([^:#]+):[^:]*:(-?\d+):(-?\d+):/.exec(line) ?? [];
    if (name === undefined) return [];
    // macOS writes nobody's id as -2.
    return [{ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }];
  });
}

/** Whether the account has this access to the file, by the mode bits of the file and its ancestors. */
export async function canReach(account: Account, path: string, access: number): Promise<boolean> {
  const real = await realpath(path);
  if (!(await permits(account, real, access))) return false;
  for (let dir = dirname(real); ; dir = dirname(dir)) {
    if (!(await permits(account, dir, EXECUTE))) return false;
    if (dir === dirname(dir)) return true;
  }
}

async function permits(account: Account, path: string, access: number): Promise<boolean> {
  const { uid, gid, mode } = await stat(path);
  const bits = uid === account.uid ? mode >> 6 : gid === account.gid ? mode >> 3 : mode;
  return (bits & access) === access;
}
