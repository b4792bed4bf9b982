/** Reads one text of a real machine, piece by piece, and says what it shows. */
import { type Answer, answer } from './answer.js';
import { FactsBook } from './facts-book.js';
import { FORMATS, type Format, recognise } from './formats.js';
import { Lines, MAX_LINE_LENGTH } from './lines.js';
import { Preconditions } from './preconditions.js';
import type { ObservedRecord, Reader } from './record.js';
import { Rejects } from './rejects.js';
import { Judge } from './rules/judge.js';
import { MAX_CPUS } from './rules/per-cpu.js';

export interface ReadingOptions {
  /** The name of one of FORMATS, or 'auto'. */
  readonly format: string;
  /** true: the last line is whole even without its end. false: more may follow even so. */
  readonly complete?: boolean;
  /** What the sender says of the machine, by the names of facts.ts; `pebs_events`, `fix_state` and `isolation` as well. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** Gets every record. */
export interface RecordTap {
  record(record: ObservedRecord): void;
}

/** The text as a whole says nothing: why, and what to send instead. */
export class RefusedText extends Error {
  override readonly name = 'RefusedText';
}

/** Lines and characters that are looked at to recognise a format. */
const LOOK_AHEAD_LINES = 200;
const LOOK_AHEAD_CHARACTERS = 65_536;

export class Reading {
  private readonly lines = new Lines({
    line: (text, number) => this.line(text, number),
    common: (piece, start, end, number) =>
      this.reader?.common?.(piece, start, end, number) ?? false,
    tooLong: (number) => this.rejects.add(number, `longer than ${MAX_LINE_LENGTH} characters`),
  });
  private reader: Reader | null = null;
  private format = 'auto';
  /** Lines that wait until the format is recognised. */
  private waiting: { readonly text: string; readonly number: number }[] = [];
  private waitingCharacters = 0;
  private records = 0;
  private readonly rejects = new Rejects();
  private readonly preconditions = new Preconditions();
  private readonly facts: FactsBook;
  private readonly judge: Judge;

  /** Throws RefusedText where there is no such format. */
  constructor(
    private readonly options: ReadingOptions,
    private readonly tap?: RecordTap,
  ) {
    this.facts = new FactsBook(options.facts ?? {});
    this.judge = new Judge(this.facts);
    if (options.format === 'auto') return;
    const format = FORMATS.find(({ name }) => name === options.format);
    if (format === undefined) throw new RefusedText(`There is no format ${options.format}.`);
    this.begin(format);
  }

  /** How many lines have ended. */
  get lineCount(): number {
    return this.lines.count;
  }

  /** With the bytes that the piece was decoded from, long traces are read faster. Throws RefusedText. */
  write(piece: string, bytes?: Uint8Array): void {
    this.lines.write(piece, bytes);
  }

  /** No piece follows. Throws RefusedText. */
  end(): Answer {
    const cut = this.lastLine() || this.options.complete === false;
    if (this.reader === null) this.recognise();
    this.reader?.end();
    const { format, records, rejects, judge, facts, preconditions } = this;
    return answer({ format, records, rejects, judge, facts, preconditions, cut });
  }

  /** Takes the line without an end, if there is one. Whether it is cut. */
  private lastLine(): boolean {
    const text = this.lines.unended();
    if (text === undefined) return false;
    const number = this.lines.count + 1;
    if (this.options.complete !== true) {
      this.rejects.add(number, 'the line has no end: it may be cut');
      return true;
    }
    if (text.length > MAX_LINE_LENGTH) this.rejects.add(number, 'the line is too long');
    else this.line(text, number);
    return false;
  }

  private line(text: string, number: number): void {
    if (this.reader !== null) {
      this.reader.line(text, number);
      return;
    }
    this.waiting.push({ text, number });
    this.waitingCharacters += text.length;
    const enough = this.waiting.length >= LOOK_AHEAD_LINES;
    if (enough || this.waitingCharacters >= LOOK_AHEAD_CHARACTERS) this.recognise();
  }

  private recognise(): void {
    const format = recognise(this.waiting.map(({ text }) => text));
    if (format === null) {
      const names = FORMATS.map(({ name }) => name).join(', ');
      throw new RefusedText(`The format is not recognised. Name it: ${names}.`);
    }
    const reader = this.begin(format);
    for (const { text, number } of this.waiting) reader.line(text, number);
    this.waiting = [];
  }

  private begin(format: Format): Reader {
    this.format = format.name;
    this.reader = format.makeReader({
      record: (record) => this.record(record),
      reject: (line, reason, cpu) => this.reject(line, reason, cpu),
      fact: (line, name, value, cpu) => this.fact(line, name, value, cpu),
      refuse: (reason) => {
        throw new RefusedText(reason);
      },
    });
    return this.reader;
  }

  private record(record: ObservedRecord): void {
    const { cpu, line } = record;
    if (cpu !== null && cpu >= MAX_CPUS) {
      this.rejects.add(line, `no machine has a CPU ${cpu}`);
      return;
    }
    if (cpu !== null && record.kind === 'reading' && this.judge.data.isCleared(cpu)) {
      this.rejects.add(line, 'the kernel has reset the PMU of this CPU: this is no reading');
      return;
    }
    this.records += 1;
    this.preconditions.record(record);
    this.judge.record(record);
    this.tap?.record(record);
  }

  private reject(line: number, reason: string, cpu?: number): void {
    this.rejects.add(line, reason);
    if (cpu !== undefined && cpu < MAX_CPUS) this.judge.data.unreadable(cpu, line);
  }

  private fact(line: number, name: string, value: string, cpu?: number): void {
    // The kernel says its release when it starts.
    if (name === 'kernel_release') this.judge.rebooted();
    this.facts.say(line, name, value, cpu);
    this.preconditions.fact(line, name, value);
  }
}
