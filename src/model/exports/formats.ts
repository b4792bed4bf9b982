/** The formats in which a counterexample, the path to a state or the trace of a host can be taken away. */
import { type Story, toMermaid, toText } from '../render/text.js';
import type { ExportFormat } from '../vocabulary.js';
import { toChromeTrace } from './chrome.js';
import { toFtrace } from './ftrace.js';
import { toItf } from './itf.js';
import { toJsonLines } from './jsonl.js';
import type { Recording } from './recording.js';
import { toVcd } from './vcd.js';

interface FormatFile {
  readonly mediaType: string;
  readonly extension: string;
}

/**
 * A format is written from a recording, or from its story. Those that take long to write are written in pieces.
 */
export type Format =
  | (FormatFile & { readonly ofRecording: (recording: Recording) => Iterable<string> })
  | (FormatFile & { readonly ofStory: (story: Story, all: boolean) => string });

export const FORMATS: Readonly<Record<ExportFormat, Format>> = {
  text: { mediaType: 'text/plain', extension: 'txt', ofStory: toText },
  mermaid: { mediaType: 'text/vnd.mermaid', extension: 'mmd', ofStory: toMermaid },
  vcd: { mediaType: 'application/vnd.gtkwave-vcd', extension: 'vcd', ofRecording: toVcd },
  chrome: {
    mediaType: 'application/vnd.chrome.trace+json',
    extension: 'trace.json',
    ofRecording: toChromeTrace,
  },
  itf: {
    mediaType: 'application/vnd.apalache.itf+json',
    extension: 'itf.json',
    ofRecording: toItf,
  },
  ftrace: {
    mediaType: 'text/vnd.linux.ftrace',
    extension: 'ftrace',
    ofRecording: (recording) => [toFtrace(recording)],
  },
  jsonl: {
    mediaType: 'application/jsonl',
    extension: 'jsonl',
    ofRecording: (recording) => [toJsonLines(recording)],
  },
};
