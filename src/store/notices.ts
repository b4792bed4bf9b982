/**
 * Notices between instances over LISTEN and NOTIFY. A notice says that something changed, never what: the listener reads it
 * again. A lost connection is reopened and all listeners are notified, since notices may have been missed.
 */
import type { Client } from 'pg';

const CHANNEL = 'pebslab';
const RECONNECT_MILLIS = 250;

export class Notices {
  private readonly connect: () => Client;
  private readonly onError: (error: Error) => void;
  /** By name. Not an EventEmitter, which would throw on a notice called `error`. */
  private readonly listeners = new Map<string, Set<() => void>>();
  private client: Client | undefined;
  private retry: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(connect: () => Client, onError: (error: Error) => void) {
    this.connect = connect;
    this.onError = onError;
  }

  /** Calls the listener on every notice of this name, and when notices may have been missed. Returns a function that stops it. */
  listen(name: string, listener: () => void): () => void {
    const all = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, all.add(listener));
    return () => {
      all.delete(listener);
      if (all.size === 0 && this.listeners.get(name) === all) this.listeners.delete(name);
    };
  }

  /**
   * Waits for the next notice of this name. Resolves true on a notice, false on timeout or abort.
   * Not by `AbortSignal.any`: on Node.js 20 a long-lived signal keeps every signal derived from it.
   */
  next(name: string, millis: number, ...signals: readonly AbortSignal[]): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (heard: boolean): void => {
        clearTimeout(timer);
        stop();
        for (const signal of signals) signal.removeEventListener('abort', abort);
        resolve(heard);
      };
      const abort = (): void => done(false);
      const timer = setTimeout(abort, millis);
      const stop = this.listen(name, () => done(true));
      for (const signal of signals) signal.addEventListener('abort', abort, { once: true });
      if (signals.some(({ aborted }) => aborted)) abort();
    });
  }

  async start(): Promise<void> {
    const client = this.connect();
    client.on('error', (error) => this.lose(client, error));
    client.on('end', () => this.lose(client, undefined));
    client.on('notification', ({ payload = '' }) => this.tell(payload));
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
    } catch (error) {
      client.removeAllListeners('end');
      await client.end().catch(() => {});
      throw error;
    }
    this.client = client;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    await this.client?.end().catch(() => {});
  }

  private tell(name: string): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) listener();
  }

  private lose(client: Client, error: Error | undefined): void {
    if (this.closed || this.client !== client) return;
    this.client = undefined;
    if (error !== undefined) this.onError(error);
    client.end().catch(() => {});
    this.reconnect();
  }

  private reconnect(): void {
    this.retry = setTimeout(() => {
      if (this.closed) return;
      this.start().then(
        () => {
          if (this.closed) void this.close();
          for (const name of [...this.listeners.keys()]) this.tell(name);
        },
        () => this.reconnect(),
      );
    }, RECONNECT_MILLIS);
  }
}
