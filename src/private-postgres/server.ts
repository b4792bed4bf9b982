/**
 * A private, real PostgreSQL in a directory, for a service that is given no database. It is
 * started with the service, started again when it goes down, and stopped with the service; when
 * the service is killed it lives on, and the next service takes it over.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinaries } from './binaries.js';
import { prepareCluster } from './cluster.js';
import { urlOf } from './connection.js';
import { DataDirError, explain, openDataDir } from './data-dir.js';
import { adoptLeftover, type Launch, launch, launchOn, type Running } from './launch.js';
import { type Lock, lockDataDir } from './lock.js';
import { LogFile } from './log-file.js';
import { type Postmaster, stopPostmaster } from './postmaster.js';
import { serverAccount } from './user.js';

export { DataDirError };

interface EmbeddedOptions {
  readonly dataDir: string;
  /** Of the role, its database, and the folder of programs that root keeps: small letters. */
  readonly name: string;
  /** What the server and its watcher have to say, a line at a time. */
  readonly onLog?: (line: string) => void;
  /** PostgreSQL settings over ours. A server that is taken over keeps those it was started with. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** Stays the same until `stop`, also when the server had to be started again. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Rejects with a DataDirError for errors that an operator can fix. */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { dataDir, name, onLog = () => {}, settings = {} } = options;
  const dir = await openDataDir(dataDir);
  const lock = await lockDataDir(dir).catch((error: unknown) => {
    throw explain(error, dir.root);
  });
  try {
    const account = await serverAccount(dir.cluster);
    const binaries = await findBinaries(account, name);
    const log = new LogFile(dir.log, onLog);
    const login = await prepareCluster(dir, binaries, account, name);
    const how: Launch = { dir, binaries, account, login, log, settings };
    const running = (await adoptLeftover(dir, login)) ?? (await launch(how));
    log.follow();
    return new Watched(how, running, lock, onLog);
  } catch (error) {
    await lock.release();
    throw explain(error, dir.root);
  }
}

/** Pauses between tries to start it again; the last one repeats. */
const PAUSES_MILLIS = [0, 250, 500, 1_000, 2_000, 5_000] as const;
/** A server that ran this long starts again with the shortest pause. */
const STEADY_MILLIS = 30_000;

class Watched implements EmbeddedPostgres {
  readonly url: string;
  readonly #port: number;
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>;
  #postmaster: Postmaster;
  #stopped: Promise<void> | undefined;

  constructor(
    readonly how: Launch,
    { postmaster, port }: Running,
    readonly lock: Lock,
    readonly onLog: (line: string) => void,
  ) {
    this.url = urlOf(port, how.login);
    this.#port = port;
    this.#postmaster = postmaster;
    this.#watching = this.#watch();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await stopPostmaster(this.#postmaster);
    // A server that was on its way up while we stopped is stopped by the watch.
    await this.#watching;
    this.how.log.close();
    await this.lock.release();
  }

  /** On the same port, so that pools of connections find it again by themselves. */
  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    // After a stop, the end of a leftover server is noticed late; nothing waits for it.
    const aborted = once(signal, 'abort');
    let failures = 0;
    while (!signal.aborted) {
      const since = Date.now();
      const end = await Promise.race([this.#postmaster.ended, aborted]);
      if (signal.aborted) return;
      if (Date.now() - since > STEADY_MILLIS) failures = 0;
      this.onLog(`PostgreSQL ended (${end}), starting it again on port ${this.#port}`);
      while (!signal.aborted) {
        const pause = PAUSES_MILLIS[Math.min(failures++, PAUSES_MILLIS.length - 1)];
        await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
        if (signal.aborted || (await this.#startAgain())) break;
      }
    }
  }

  async #startAgain(): Promise<boolean> {
    const { signal } = this.#stopping;
    try {
      this.#postmaster = await launchOn(this.how, this.#port, signal);
      if (signal.aborted) await stopPostmaster(this.#postmaster);
      else this.onLog(`PostgreSQL is running again on port ${this.#port}`);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      this.onLog(`PostgreSQL does not start: ${error instanceof Error ? error.message : error}`);
      return false;
    }
  }
}
