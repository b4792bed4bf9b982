/**
 * The server process, the postmaster: one started here, or one left over by a service that was
 * killed. Both are watched and stopped the same way.
 */
import { execFile, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Binaries } from './binaries.js';
import { clusterArgument, serverEnvironment } from './cluster.js';
import type { LogFile } from './log-file.js';
import type { Account } from './user.js';

export interface Postmaster {
  readonly pid: number | undefined;
  isAlive(): Promise<boolean>;
  /** How it ended, in words; waiting for it does not keep the service running. */
  readonly ended: Promise<string>;
}

interface Command {
  readonly binaries: Binaries;
  readonly cluster: string;
  readonly account: Account | undefined;
  readonly log: LogFile;
  readonly settings: Readonly<Record<string, string>>;
}

/** Detached, so that neither a signal to the service's group nor its death reaches the server. */
export function startPostmaster(command: Command): Postmaster {
  const { binaries, cluster, account, log, settings } = command;
  const args = ['-D', clusterArgument(cluster, account)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const output = log.openForAppend();
  try {
    const child = spawn(binaries.postgres, args, {
      cwd: cluster,
      env: serverEnvironment(),
      detached: true,
      stdio: ['ignore', output, output],
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    child.unref();
    let isOver = false;
    const ended = new Promise<string>((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('exit', (code, signal) => resolve(signal ?? `code ${code}`));
    }).finally(() => {
      isOver = true;
    });
    return { pid: child.pid, isAlive: async () => child.pid !== undefined && !isOver, ended };
  } finally {
    closeSync(output);
  }
}

interface Leftover extends Postmaster {
  readonly pid: number;
  readonly port: number;
}

const WATCH_MILLIS = 250;

/** The server that runs on this cluster already. A stale postmaster.pid is moved out of the way. */
export async function findLeftover(cluster: string): Promise<Leftover | undefined> {
  const path = join(cluster, 'postmaster.pid');
  const text = await readFile(path, 'utf8').catch(() => '');
  const [pidText, directory, , portText] = text.split('\n');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const isAlive = (): Promise<boolean> => servesCluster(pid, cluster, directory ?? '');
  if (!(await isAlive())) {
    // PostgreSQL itself would take any process of this number for a server. Should parts of the
    // old one live on, their shared memory still keeps a new one out.
    await rm(path, { force: true });
    return undefined;
  }
  return { pid, port: Number(portText), isAlive, ended: watch(isAlive) };
}

/** As pg_ctl finds out: the server writes its state into postmaster.pid, in the eighth line. */
export async function saysReady({ pid }: Postmaster, cluster: string): Promise<boolean> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready';
}

async function watch(isAlive: () => Promise<boolean>): Promise<string> {
  while (await isAlive()) await sleep(WATCH_MILLIS, undefined, { ref: false });
  return 'exit status unknown';
}

/** Process ids are reused: it must be a PostgreSQL whose working directory is this cluster. */
async function servesCluster(pid: number, cluster: string, directory: string): Promise<boolean> {
  if (process.platform !== 'linux') return isNamedPostgres(pid, cluster, directory);
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    // After the name, which is in parentheses, comes the state: Z is a zombie.
    if (!/^\d+ \(postgres\) [^ZX]/.test(status)) return false;
    const [cwd, own] = await Promise.all([stat(`/proc/${pid}/cwd/`), stat(cluster)]);
    return cwd.ino === own.ino && cwd.dev === own.dev;
  } catch {
    return false;
  }
}

async function isNamedPostgres(pid: number, cluster: string, directory: string): Promise<boolean> {
  if (directory !== cluster) return false;
  return promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout.includes('postgres'),
    () => false,
  );
}

/** Fast shutdown, then immediate shutdown, then SIGKILL. */
const STOP_STEPS = [
  ['SIGINT', 5_000],
  ['SIGQUIT', 2_000],
  ['SIGKILL', 2_000],
] as const;

const STOP_POLL_MILLIS = 10;

export async function stopPostmaster(postmaster: Postmaster): Promise<void> {
  const { pid } = postmaster;
  for (const [signal, millisMax] of STOP_STEPS) {
    if (pid === undefined || !(await postmaster.isAlive())) return;
    send(pid, signal);
    const deadline = Date.now() + millisMax;
    while (Date.now() < deadline && (await postmaster.isAlive())) await sleep(STOP_POLL_MILLIS);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}
