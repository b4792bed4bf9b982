/** The captures, and what is read in a text. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Answer } from '../../src/observations/answer.js';
import { Piece } from '../../src/observations/lines.js';
import { Reading, type ReadingOptions, RefusedText } from '../../src/observations/reading.js';
import type { ObservedRecord } from '../../src/observations/record.js';
import { type RecordView, recordView } from '../../src/observations/record-view.js';
import { unpackedLog } from '../../src/service/observations/packed-log.js';

export const FOLDER = fileURLToPath(new URL('../../../test/captures/', import.meta.url));

/** Documents that labs send, and no output of a tool that runs on the machine. */
const DOCUMENTS =
  /^(?:kcidb|lava-callback|maestro|pull-labs|tux)|^(?:junit-pytest-error|lava-results-export)\.txt$/;

const ALL = readdirSync(FOLDER).filter((name) => /\.(txt|json)$/.test(name));

/** Captures that are texts of a machine. */
export const CAPTURES: readonly string[] = ALL.filter((name) => !DOCUMENTS.test(name));

export const CAPTURED_DOCUMENTS: readonly string[] = ALL.filter((name) => DOCUMENTS.test(name));

export const capture = (name: string): string => readFileSync(`${FOLDER}${name}`, 'utf8');

export interface Read {
  readonly answer: Answer;
  readonly records: readonly RecordView[];
}

/** Pieces may come as bytes of ASCII, which long traces are read from. */
export function readPieces(
  pieces: readonly (string | Buffer)[],
  options: Partial<ReadingOptions> = {},
): Read {
  const records: RecordView[] = [];
  const tap = {
    record: (record: ObservedRecord) => {
      records.push(recordView(record));
    },
  };
  const reading = new Reading({ format: 'auto', unpack: unpackedLog, ...options }, tap);
  for (const piece of pieces) {
    if (typeof piece === 'string') reading.write(piece);
    else reading.write(new Piece(piece, () => piece.toString('latin1')));
  }
  return { answer: reading.end(), records };
}

export const read = (text: string, options?: Partial<ReadingOptions>): Read =>
  readPieces([text], options);

/** The same, or null where the text as a whole is refused. */
export function readOrRefused(text: string, options?: Partial<ReadingOptions>): Read | null {
  try {
    return read(text, options);
  } catch (error) {
    if (error instanceof RefusedText) return null;
    throw error;
  }
}
