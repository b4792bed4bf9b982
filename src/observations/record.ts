/**
 * What one line of a real machine's text says, in the field's words, whatever tool printed it.
 *
 * "Machine" is a real one; "host" is the simulated one and has no place in this room. Nothing here is guessed: what the line
 * does not say is null.
 */

import type { U64 } from '../pmu/arch/counter-set.js';
import type { Piece } from './lines.js';
import { PrintedTime } from './printed-time.js';
import type { CONTEXTS, RECORD_KINDS, TEST_RESULTS } from './vocabulary.js';

export type RecordKind = (typeof RECORD_KINDS)[number];

export type Context = (typeof CONTEXTS)[number];

/** One record. All of one shape, since a trace has millions. */
export class ObservedRecord {
  /** The CPU, where the line gives it. */
  cpu: number | null = null;
  /** Its own for good: a copy has `at` instead. */
  readonly #time = new PrintedTime();
  context: Context = 'unknown';
  /** Index of the MSR, e.g. 0x3f1. */
  msr: number | null = null;
  /** Of a load_list entry: what VM-exit loads. */
  value: U64 | null = null;
  /** Of a load_list entry: what VM-entry loads. */
  guest: U64 | null = null;
  /** Bits of the value that the tool shows; null: all. */
  known: U64 | null = null;
  /** The access faulted: a refused write leaves the register as it was, a refused read has no value. */
  refused = false;
  /** Of a guest_access: whether it writes. */
  writes = false;
  comm: string | null = null;
  pid: number | null = null;
  tgid: number | null = null;
  vcpu: number | null = null;
  /** The function that made the access, where a stack or rIP names it. */
  writer: string | null = null;
  /** Number of records lost, the index of a counter, nanoseconds of a handler, a sample rate; by kind. */
  count: number | null = null;
  /** VM-exit reason, name of a tracepoint, name of a test, text of a notice; by kind. */
  name: string | null = null;
  /** Of a test, or of a job that the lab could not run. */
  result: (typeof TEST_RESULTS)[number] | null = null;
  /** What else the line says, e.g. why a test was skipped. */
  text: string | null = null;
  /**
   * Of a snapshot: what the collector says of the machine, e.g. pebs_events, boot_id, ts. Of a job or a test: what else a
   * document says of it.
   */
  attributes: Readonly<Record<string, string>> | null = null;

  constructor(
    public line: number,
    public kind: RecordKind,
  ) {}

  /** Time as the tool printed it: decimal, in its own clock and unit. */
  get at(): string | null {
    return this.#time.text;
  }

  set at(text: string | null) {
    this.#time.say(text);
  }

  /** The same, for those who will hardly look at it. */
  get time(): PrintedTime {
    return this.#time;
  }
}

/** A record as plain data: to be kept, or to be handed to another thread. */
export type KeptRecord = Omit<ObservedRecord, 'time'>;

export const kept = (record: ObservedRecord): KeptRecord => ({ ...record, at: record.at });

/** Where readers put what they find. */
export interface RecordSink {
  /** The record may be filled anew for a later line: whoever keeps it keeps a copy. */
  record(record: ObservedRecord): void;
  /** A line that should have given a value and does not; with the CPU, where the line gives that much. */
  reject(line: number, reason: string, cpu?: number): void;
  /** Something the text says of the machine, e.g. ('pmu_version', '5'); the names are those of facts.ts. */
  fact(line: number, name: string, value: string, cpu?: number): void;
  /** Refuses the whole text, whatever was read of it before: its values are ambiguous, and the reason says how to make them clear. */
  refuse(reason: string): void;
  /** Records are missing here, of a CPU or (null) of any: what was read before and what follows do not belong together. */
  missed?(line: number, cpu: number | null): void;
  /** What follows is of another machine. */
  otherMachine?(): void;
}

/** Reads the lines of one text, in order. */
export interface Reader {
  /** A whole line, without its end; numbers begin at 1. */
  line(text: string, number: number): void;
  /**
   * Reads the line that begins at `start` where it stands, if it is one of those that the format is full of. Where the next one
   * begins; -1: give it to `line`.
   */
  common?(piece: Piece, start: number, number: number): number;
  /** No line follows. What was begun and not ended yields nothing. */
  end(): void;
}

export type MakeReader = (sink: RecordSink) => Reader;
