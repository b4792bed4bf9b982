/**
 * The levels of a breadth-first search in files, so that a search that was stopped, or whose process died, goes on from its
 * last whole level.
 *
 * Each worker appends to two files of its own: its states in the order in which they were found, and for each level one
 * record that says how far they reach. A record has a hash of the states of its level, so whatever a crash left behind is
 * either whole or not read. Where a file cannot be written, or becomes too long, the search continues without it.
 */
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** Where a search keeps its levels. */
export interface KeptLevelsOptions {
  /** An existing folder that belongs to this very search; its files are used if they are of it. */
  readonly folder: string;
  /** The most that the files of all workers may take together. */
  readonly bytesMax: number;
}

/** What is known at the beginning of a level, before any of its states is expanded. */
export interface KeptLevel {
  /** States of this worker so far, those of this level included. */
  readonly count: number;
  /** Transitions this worker has taken so far. */
  readonly transitions: number;
  /** States of this level, all workers together. */
  readonly width: number;
}

interface Files {
  readonly states: number;
  readonly levels: number;
}

export class KeptLevels {
  private readonly words: number;
  private readonly bytesMax: number;
  private readonly paths: readonly [states: string, levels: string];
  private files: Files | null = null;
  private readonly kept: KeptLevel[] = [];

  constructor(
    { folder, bytesMax }: KeptLevelsOptions,
    share: { readonly index: number; readonly of: number },
    words: number,
  ) {
    const name = (kind: string): string => join(folder, `${kind}-${share.index}-of-${share.of}`);
    this.words = words;
    this.bytesMax = Math.floor(bytesMax / share.of);
    this.paths = [name('states'), name('levels')];
    try {
      const [states, levels] = this.paths.map((path) => openSync(path, 'a+', 0o600));
      this.files = { states: states as number, levels: levels as number };
      this.readLevels();
    } catch {
      this.giveUp();
    }
  }

  /** Whole levels in the files. */
  get levels(): readonly KeptLevel[] {
    return this.kept;
  }

  /** Forgets all but the first `levels`: other workers have no more. */
  cutTo(levels: number): void {
    this.kept.length = levels;
    const count = this.kept.at(-1)?.count ?? 0;
    this.attempt((files) => {
      ftruncateSync(files.states, this.bytesOf(count));
      ftruncateSync(files.levels, levels * RECORD_BYTES);
    });
  }

  /** Reads states `from` to `to` into `out`. */
  read(from: number, to: number, out: Int32Array): void {
    if (this.files === null) throw new Error('the levels that were kept have gone');
    readFully(this.files.states, out.subarray(0, (to - from) * this.words), this.bytesOf(from));
  }

  /** Appends a level: the states that came since the one before. */
  append(level: KeptLevel, states: Int32Array): void {
    const from = this.kept.at(-1)?.count ?? 0;
    if (this.bytesOf(level.count) + (this.kept.length + 1) * RECORD_BYTES > this.bytesMax) {
      this.giveUp();
      return;
    }
    this.attempt((files) => {
      const added = states.subarray(from * this.words, level.count * this.words);
      writeFully(files.states, added);
      const { count, transitions, width } = level;
      writeFully(files.levels, Float64Array.of(count, transitions, width, hashOf(added)));
      this.kept.push(level);
    });
  }

  close(): void {
    const { files } = this;
    this.files = null;
    if (files === null) return;
    closeSync(files.states);
    closeSync(files.levels);
  }

  /** Stops at the first record that is not what the states say. */
  private readLevels(): void {
    const records = readFileSync(this.paths[1]);
    const chunk = new Int32Array(CHUNK_STATES * this.words);
    for (let at = 0; at + RECORD_BYTES <= records.length; at += RECORD_BYTES) {
      const [count, transitions, width, hash] = [0, 8, 16, 24].map((field) =>
        records.readDoubleLE(at + field),
      ) as [number, number, number, number];
      let from = this.kept.at(-1)?.count ?? 0;
      if (!(Number.isSafeInteger(count) && count >= from)) return;
      let found = 0;
      while (from < count) {
        const to = Math.min(count, from + CHUNK_STATES);
        if (!this.readIfThere(from, to, chunk)) return;
        found = hashOf(chunk.subarray(0, (to - from) * this.words), found);
        from = to;
      }
      if (found !== hash) return;
      this.kept.push({ count, transitions, width });
    }
  }

  private readIfThere(from: number, to: number, out: Int32Array): boolean {
    try {
      this.read(from, to, out);
      return true;
    } catch {
      return false;
    }
  }

  private bytesOf(states: number): number {
    return states * this.words * 4;
  }

  /** Does something to the files, unless they were given up; where it fails, they are. */
  private attempt(act: (files: Files) => void): void {
    if (this.files === null) return;
    try {
      act(this.files);
    } catch {
      this.giveUp();
    }
  }

  private giveUp(): void {
    this.close();
    this.kept.length = 0;
    for (const path of this.paths) rmSync(path, { force: true });
  }
}

function writeFully(file: number, values: NodeJS.TypedArray): void {
  for (let at = 0; at < values.byteLength; ) {
    at += writeSync(file, values as Uint8Array, at, values.byteLength - at);
  }
}

function readFully(file: number, into: Int32Array, position: number): void {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(file, bytes, at, bytes.length - at, position + at);
    if (read === 0) throw new RangeError('the file ends too early');
    at += read;
  }
}

/** A 32-bit hash of words, which goes on from that of the words before. */
function hashOf(words: Int32Array, before = 0): number {
  let hash = before;
  for (let at = 0; at < words.length; at++) {
    hash = Math.imul(hash ^ (words[at] as number), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

const RECORD_BYTES = 32;
const CHUNK_STATES = 1 << 14;
