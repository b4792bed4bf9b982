/** Launches the server until it answers: chooses the port, waits, reports errors. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Binaries } from './binaries.js';
import { ask, type Login } from './connection.js';
import { type DataDir, DataDirError } from './data-dir.js';
import type { LogFile } from './log-file.js';
import {
  findLeftover,
  type Postmaster,
  saysReady,
  startPostmaster,
  stopPostmaster,
} from './postmaster.js';
import { settingsFor } from './settings.js';
import type { Account } from './user.js';

export interface Launch {
  readonly dir: DataDir;
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  readonly login: Login;
  readonly log: LogFile;
  readonly settings: Readonly<Record<string, string>>;
}

export interface Running {
  readonly postmaster: Postmaster;
  readonly port: number;
}

/** Recovery after a crash reads at most `max_wal_size`, which takes seconds. */
const READY_MILLIS_MAX = 120_000;
/** Stopping a hung server or restarting a recovering one costs little, so this is short. */
const LEFTOVER_MILLIS_MAX = 5_000;
const POLL_MILLIS = 10;
/** Twice as long as it takes to notice that a leftover has ended. */
const NOTICED_MILLIS_MAX = 500;
const TRIES_MAX = 20;
const RETRY_MILLIS = 250;

/** SQLSTATE invalid_password. */
const WRONG_PASSWORD = '28P01';

/** Below the ports that any system gives to outgoing connections, so that it stays ours. */
const PORTS = [20_000, 32_000] as const;

class LaunchError extends Error {}

/** The server a killed service has left, if it still answers us. Else it is stopped. */
export async function adoptLeftover(dir: DataDir, login: Login): Promise<Running | undefined> {
  const leftover = await findLeftover(dir.cluster);
  if (leftover === undefined) return undefined;
  const complaint = await untilReady(dir, leftover, leftover.port, login, LEFTOVER_MILLIS_MAX);
  if (complaint === undefined) return { postmaster: leftover, port: leftover.port };
  await stopPostmaster(leftover);
  // Its leftovers are stale by now.
  await findLeftover(dir.cluster);
  return undefined;
}

/**
 * Another program may take the port before the server does; and when a postmaster was killed, its
 * helpers need a moment to notice and keep a new one out till then.
 */
export async function launch(what: Launch): Promise<Running> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    try {
      return { postmaster: await launchOn(what, port), port };
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      const isTransient = TRANSIENT.test(error.message);
      if (!isTransient || tries === TRIES_MAX) throw explainLaunch(error, what.dir);
      if (!IS_PORT_TAKEN.test(error.message)) await sleep(RETRY_MILLIS);
    }
  }
}

const IS_PORT_TAKEN = /could not create any TCP\/IP sockets/;
const TRANSIENT =
  /could not create any TCP\/IP sockets|pre-existing shared memory block|lock file "postmaster.pid" already exists/;

/** On abort, stops the server and rejects. */
export async function launchOn(
  what: Launch,
  port: number,
  signal?: AbortSignal,
): Promise<Postmaster> {
  const { binaries, dir, account, log, settings } = what;
  const saidBefore = log.size();
  const postmaster = startPostmaster({
    binaries,
    cluster: dir.cluster,
    account,
    log,
    settings: settingsFor(port, settings),
  });
  const complaint = await untilReady(dir, postmaster, port, what.login, READY_MILLIS_MAX, signal);
  if (complaint === undefined) return postmaster;
  if (await postmaster.isAlive()) {
    await stopPostmaster(postmaster);
    throw new LaunchError(
      complaint === WRONG_PASSWORD
        ? `it does not accept the password in ${dir.password}`
        : `it did not answer within ${READY_MILLIS_MAX / 1000} s (${complaint})`,
    );
  }
  throw new LaunchError(log.lastComplaint(saidBefore) || `it ended with ${complaint}`);
}

function explainLaunch(error: LaunchError, { root }: DataDir): DataDirError {
  const { message } = error;
  if (/No space left on device/.test(message)) {
    return new DataDirError(`The data directory ${root} lies on a full disk: ${message}.`);
  }
  return new DataDirError(`The database in ${root} does not start: ${message}.`);
}

/** Returns undefined if it answers, otherwise the reason why not. */
async function untilReady(
  { cluster }: DataDir,
  postmaster: Postmaster,
  port: number,
  login: Login,
  millisMax: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const deadline = Date.now() + millisMax;
  for (;;) {
    // Connecting earlier would only fill the log with errors.
    const isReady = await saysReady(postmaster, cluster);
    const complaint = isReady ? await ask(port, login) : 'not ready yet';
    if (!(await postmaster.isAlive())) {
      // The end of a leftover is noticed by a timer that does not keep the process running: this one does.
      return Promise.race([postmaster.ended, sleep(NOTICED_MILLIS_MAX, 'an end unseen')]);
    }
    if (complaint === undefined || complaint === WRONG_PASSWORD) return complaint;
    if (Date.now() > deadline || signal?.aborted) return complaint;
    await sleep(POLL_MILLIS);
  }
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(...PORTS);
    if (await isFree(port)) return port;
  }
  throw new DataDirError(`The database finds no free port from ${PORTS[0]} to ${PORTS[1]}.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
