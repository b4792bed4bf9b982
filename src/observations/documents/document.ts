/**
 * Documents with the results of tests: what labs and test systems send, as JSON, YAML or XML. Unlike a text of lines, a document
 * is read as a whole. What it says of its job and its tests stands in no line (records have line 0); the log that some of
 * them hold is a text of its own, and its lines are counted in it.
 */
import type { RecordSink } from '../record.js';
import type { TextFormat } from '../vocabulary.js';

/** A longer document is refused. */
export const DOCUMENT_CHARACTERS_MAX = 16 * 2 ** 20;

export interface DocumentSink extends RecordSink {
  /** The log that the document holds: text, or a packed text after `base64:`; `pointer` says where in the document. */
  log(text: string, pointer: string): void;
}

export interface DocumentFormat {
  readonly name: TextFormat;
  readonly description: string;
  /** Whether a document that begins like this is in the format. */
  looksLike(head: string): boolean;
  /** What is left of it when it is cut may be a whole one. */
  readonly isCutAnywhere?: true;
  /** Throws BadDocument. */
  read(document: ReadDocument, sink: DocumentSink): void;
}

export interface ReadDocument {
  readonly text: string;
  /** It does not end where it should: what stands last may be cut. */
  readonly isCut: boolean;
}

/** It is not what its format says: where, and why. */
export class BadDocument extends Error {
  override readonly name = 'BadDocument';

  constructor(
    /** RFC 6901; empty for the document as a whole. */
    readonly pointer: string,
    readonly reason: string,
  ) {
    super(`${pointer === '' ? 'The document' : pointer} ${reason}.`);
  }
}
