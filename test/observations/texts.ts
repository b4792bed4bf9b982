/** Reads texts with a reader, and says what came of them in one line a record. */
import { readFileSync } from 'node:fs';
import { formatU64 } from '../../src/model/values.js';
import type { Fact } from '../../src/observations/facts.js';
import { FactsReader, type MachineText } from '../../src/observations/facts-of.js';
import { Lines } from '../../src/observations/lines.js';
import type { MakeReader, ObservedRecord } from '../../src/observations/record.js';
import { FOLDER } from './captures.js';

export const capture = (name: string): string => readFileSync(`${FOLDER}${name}`, 'latin1');

export interface Outcome {
  readonly records: ObservedRecord[];
  /** `line: reason`, and the CPU where it is given. */
  readonly rejects: string[];
  /** `name=value`, with the CPU in front where it is given. */
  readonly facts: string[];
  refused: string | null;
}

/** The text may be cut: a last line without its end yields nothing. */
export function read(makeReader: MakeReader, text: string): Outcome {
  const outcome: Outcome = { records: [], rejects: [], facts: [], refused: null };
  const reject = (line: number, reason: string, cpu?: number): void => {
    outcome.rejects.push(`${line}: ${reason}${cpu === undefined ? '' : ` (cpu ${cpu})`}`);
  };
  const reader = makeReader({
    record: (record) => outcome.records.push(record),
    reject,
    fact: (_, name, value, cpu) => {
      outcome.facts.push(`${cpu === undefined ? '' : `cpu ${cpu} `}${name}=${value}`);
    },
    refuse: (reason) => {
      outcome.refused ??= reason;
    },
  });
  const lines = new Lines({
    line: (line, number) => reader.line(line, number),
    tooLong: (number) => reject(number, 'too long'),
  });
  lines.write(text);
  reader.end();
  return outcome;
}

/** The fields that say something, shortest first: `3: reading cpu 3 3f1=0000000000000001`. */
export function brief(record: ObservedRecord): string {
  const { line, kind, cpu, msr, value, guest, known, result } = record;
  const words: (string | false | null)[] = [
    `${line}: ${kind}`,
    cpu !== null && `cpu ${cpu}`,
    msr !== null && value === null && `msr ${msr.toString(16)}`,
    value !== null && `${msr === null ? '' : msr.toString(16)}=${formatU64(value).slice(2)}`,
    guest !== null && `guest ${formatU64(guest).slice(2)}`,
    known !== null && `known ${formatU64(known).slice(2)}`,
    record.refused && 'refused',
    record.writer !== null && `by ${record.writer}`,
    record.count !== null && `count ${record.count}`,
    record.comm,
    record.pid !== null && `pid ${record.pid}`,
    result,
    record.name,
    record.text !== null && `(${record.text})`,
    record.attributes !== null && JSON.stringify(record.attributes),
    record.at !== null && `at ${record.at}`,
  ];
  return words.filter((word) => word !== false && word !== null).join(' ');
}

/** The lines as readers see them. */
export function linesOf(text: string): readonly string[] {
  const found: string[] = [];
  new Lines({ line: (line) => found.push(line), tooLong: () => {} }).write(text);
  return found;
}

/** What a whole text says of its machine. */
export function factsOf(kind: MachineText, text: string): readonly Fact[] {
  const reader = new FactsReader(kind);
  reader.write(text);
  return reader.end();
}
