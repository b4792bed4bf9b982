/**
 * The log of the server. It writes to a file, not to a pipe: a pipe would break when the service is
 * killed, which the server should survive. The file is read here, a few times a second, to pass
 * the lines on and to keep it small.
 */
import {
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from 'node:fs';

const BYTES_MAX = 1024 * 1024;
const POLL_MILLIS = 250;

export class LogFile {
  #position: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly path: string,
    readonly onLine: (line: string) => void,
  ) {
    this.trim();
    this.#position = this.size();
  }

  /** For a new server process to inherit; the caller closes it. */
  openForAppend(): number {
    return openSync(this.path, 'a', 0o600);
  }

  follow(): void {
    this.#timer ??= setInterval(() => this.#poll(), POLL_MILLIS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#poll();
  }

  size(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** The reason the server gives for going down, from what it has said since a position. */
  lastComplaint(since: number): string {
    const lines = this.textSince(since).trim().split('\n');
    const fatal = lines.findLast((line) => /(FATAL|PANIC): {2}/.test(line));
    return (fatal ?? lines.at(-1) ?? '').replace(/^.*?(FATAL|PANIC|ERROR|LOG): +/, '');
  }

  textSince(position: number): string {
    return this.#bytesSince(position).toString('utf8');
  }

  #bytesSince(position: number): Buffer {
    const file = openSync(this.path, 'r');
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - position));
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, position));
    } finally {
      closeSync(file);
    }
  }

  /**
   * Copies and empties instead of renaming: a server that still runs goes on writing to the same
   * file, and as it appends, it goes on at the new end.
   */
  trim(): void {
    if (this.size() <= BYTES_MAX) return;
    try {
      copyFileSync(this.path, `${this.path}.1`);
    } catch {
      // On a full disk, free space matters more than the log.
    }
    truncateSync(this.path);
    this.#position = 0;
  }

  #poll(): void {
    try {
      const bytes = this.#bytesSince(this.#position);
      // What comes after the last newline is still being written.
      const whole = bytes.subarray(0, bytes.lastIndexOf(10) + 1);
      this.#position += whole.length;
      for (const line of whole.toString('utf8').split('\n')) if (line !== '') this.onLine(line);
      this.trim();
    } catch (error) {
      // Once is enough: it would be the same again a moment later.
      clearInterval(this.#timer);
      this.onLine(`cannot read ${this.path}: ${error instanceof Error ? error.message : error}`);
    }
  }
}
