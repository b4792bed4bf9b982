/** Reads one text of a real machine, piece by piece, and says what it shows. */
import { type Answer, answer } from './answer.js';
import { BadDocument, DOCUMENT_CHARACTERS_MAX, type DocumentFormat } from './documents/document.js';
import {
  DOCUMENTS,
  HEAD_CHARACTERS,
  mayBeDocument,
  recogniseDocument,
} from './documents/formats.js';
import { FactsBook } from './facts-book.js';
import { FORMATS } from './formats.js';
import type { Piece } from './lines.js';
import { Preconditions } from './preconditions.js';
import type { ObservedRecord, RecordSink } from './record.js';
import { Rejects } from './rejects.js';
import { Judge } from './rules/judge.js';
import { MAX_CPUS } from './rules/per-cpu.js';
import { Span } from './span.js';
import { TextLines } from './text-lines.js';

export interface ReadingOptions {
  /** The name of one of FORMATS or DOCUMENTS, or 'auto'. */
  readonly format: string;
  /** true: the last line is whole even without its end. false: more may follow even so. */
  readonly complete?: boolean;
  /** What the sender says of the machine, by the names of facts.ts; `pebs_events`, `fix_state` and `isolation` as well. */
  readonly facts?: Readonly<Record<string, string>>;
  /** Unpacks a log that a document holds in base64; throws BadDocument's reason as an Error where that is not possible. */
  readonly unpack?: (base64: string) => string;
}

/** Gets every record; one that is to be kept must be copied. */
export interface RecordTap {
  record(record: ObservedRecord): void;
  /** A line gives no record that should have given one: of a CPU, or (null) of any. */
  missed?(line: number, cpu: number | null): void;
}

/** The text as a whole says nothing: why, and what to send instead. */
export class RefusedText extends Error {
  override readonly name = 'RefusedText';

  constructor(
    message: string,
    /** Of a document: what in it is wrong (RFC 6901). */
    readonly pointer?: string,
  ) {
    super(message);
  }
}

const PACKED = 'base64:';

export class Reading {
  private readonly sink: RecordSink = {
    record: (record) => this.record(record),
    reject: (line, reason, cpu) => this.reject(line, reason, cpu),
    fact: (line, name, value, cpu) => this.fact(line, name, value, cpu),
    refuse: (reason) => {
      throw new RefusedText(reason);
    },
    missed: (line, said) => {
      const cpu = said !== null && said < MAX_CPUS ? said : null;
      this.judge.missed(cpu);
      this.tap?.missed?.(line, cpu);
    },
    otherMachine: () => this.judge.rebooted(),
  };
  private readonly lines: TextLines;
  /** While it is not known whether the text is a document: what has come of it. */
  private head: string | null = null;
  private document: DocumentFormat | null = null;
  /** Of a document, what has come of it. */
  private readonly pieces: string[] = [];
  private characters = 0;
  private documentLines = 0;
  /** The log of a document ended within a line. */
  private logIsCut = false;
  private records = 0;
  private readonly rejects = new Rejects();
  private readonly preconditions = new Preconditions();
  private readonly facts: FactsBook;
  private readonly judge: Judge;
  private readonly span = new Span();

  /** Throws RefusedText where there is no such format. */
  constructor(
    private readonly options: ReadingOptions,
    private readonly tap?: RecordTap,
  ) {
    this.facts = new FactsBook(options.facts ?? {});
    this.judge = new Judge(this.facts);
    const isNamed = ({ name }: { readonly name: string }): boolean => name === options.format;
    const format = FORMATS.find(isNamed) ?? null;
    this.document = DOCUMENTS.find(isNamed) ?? null;
    this.lines = new TextLines(this.sink, format);
    if (format !== null || this.document !== null) return;
    if (options.format !== 'auto') throw new RefusedText(`There is no format ${options.format}.`);
    this.head = '';
  }

  /** How many lines have ended. */
  get lineCount(): number {
    return this.lines.count + this.documentLines;
  }

  /** Throws RefusedText. */
  write(piece: string | Piece): void {
    if (this.document === null && this.head === null) {
      this.lines.write(piece);
      return;
    }
    const text = typeof piece === 'string' ? piece : piece.text;
    if (this.document !== null) this.gather(text);
    else if (this.head === '' && !mayBeDocument(text.slice(0, 1000))) {
      this.head = null;
      this.lines.write(piece);
    } else this.begin(this.head + text);
  }

  /** No piece follows. Throws RefusedText. */
  end(): Answer {
    if (this.head !== null) this.decide(this.head);
    const { complete } = this.options;
    let cut = complete === false;
    if (this.document !== null) cut = this.readDocument(this.document) || cut;
    else {
      this.lines.end(complete === true);
      cut ||= this.lines.cut;
    }
    const format = this.document?.name ?? this.lines.format?.name ?? 'auto';
    const { records, rejects, judge, facts, preconditions, span } = this;
    return answer({ format, records, rejects, judge, facts, preconditions, span, cut });
  }

  private begin(head: string): void {
    if (head.length >= HEAD_CHARACTERS || !mayBeDocument(head.slice(0, 1000))) this.decide(head);
    else this.head = head;
  }

  private decide(head: string): void {
    this.head = null;
    this.document = mayBeDocument(head.slice(0, 1000))
      ? recogniseDocument(head.slice(0, HEAD_CHARACTERS))
      : null;
    this.write(head);
  }

  private gather(piece: string): void {
    this.characters += piece.length;
    if (this.characters > DOCUMENT_CHARACTERS_MAX) {
      throw new RefusedText(
        `A document may have ${DOCUMENT_CHARACTERS_MAX} characters. Send its log by itself, as text.`,
      );
    }
    this.pieces.push(piece);
    for (let at = piece.indexOf('\n'); at >= 0; at = piece.indexOf('\n', at + 1)) {
      this.documentLines += 1;
    }
  }

  /** Whether what was read is cut. */
  private readDocument(document: DocumentFormat): boolean {
    const text = this.pieces.join('').replace(/^\ufeff/, '');
    const { complete } = this.options;
    const isCut = complete === false || (complete !== true && !text.endsWith('\n'));
    try {
      const log = (logged: string, pointer: string): void => this.readLog(logged, pointer);
      document.read({ text, isCut }, { ...this.sink, log });
    } catch (error) {
      if (error instanceof BadDocument) throw new RefusedText(error.message, error.pointer);
      throw error;
    }
    return this.logIsCut || (document.isCutAnywhere === true && isCut);
  }

  /** The log of a document, whose results it repeats. */
  private readLog(logged: string, pointer: string): void {
    let log = logged;
    if (logged.startsWith(PACKED)) {
      const { unpack } = this.options;
      if (unpack === undefined) return;
      try {
        log = unpack(logged.slice(PACKED.length));
      } catch (error) {
        throw new BadDocument(pointer, (error as Error).message);
      }
    }
    const { judge } = this;
    const lines = new TextLines({
      ...this.sink,
      record: (record) => {
        if (record.kind !== 'test' || judge.tests.total === 0) this.record(record);
      },
      // Its document says something all the same.
      refuse: (reason) => {
        throw new UnreadableLog(reason);
      },
    });
    try {
      lines.write(log);
      lines.end(this.options.complete === true);
    } catch (error) {
      if (!(error instanceof UnreadableLog)) throw error;
      if (lines.format !== null) this.reject(0, `the log is not read: ${error.message}`);
    }
    this.logIsCut = lines.cut;
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
    this.span.record(record);
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

class UnreadableLog extends Error {}
