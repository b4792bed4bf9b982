/** What clients take away as a file: a counterexample, the path to a state or the trace of a host, in one of several formats. */
import { FORMATS } from '../model/exports/formats.js';
import type { Recording } from '../model/exports/recording.js';
import type { Story } from '../model/render/text.js';
import { EXPORT_FORMATS, type ExportFormat, type GraphFormat } from '../model/vocabulary.js';
import { Slices } from './slices.js';

export type { ExportFormat, GraphFormat } from '../model/vocabulary.js';

/** By format: how it is called in `Accept` and `Content-Type`. */
export const EXPORT_TYPES = Object.fromEntries(
  EXPORT_FORMATS.map((format) => [format, FORMATS[format].mediaType]),
) as Readonly<Record<ExportFormat, string>>;

/** Of whole graphs. */
export const GRAPH_TYPES: Readonly<Record<GraphFormat, string>> = {
  aut: 'text/vnd.cadp.aut',
  dot: 'text/vnd.graphviz',
  graphml: 'application/graphml+xml',
};

export interface ExportFile {
  readonly name: string;
  readonly text: string;
}

/** Where a format's material comes from; only what the format needs is made. */
export interface ExportSource {
  /** What the file is about, in the parts of its name. */
  readonly about: readonly string[];
  recording(): Promise<Recording>;
  story(): Promise<Story>;
}

/** `all` spells out the steps that only mark time, in formats that fold them. */
export async function exported(
  format: ExportFormat,
  source: ExportSource,
  all: boolean,
): Promise<ExportFile> {
  const row = FORMATS[format];
  const text =
    'ofStory' in row
      ? row.ofStory(await source.story(), all)
      : await joined(row.ofRecording(await source.recording()));
  return { name: fileName(source.about, row.extension), text };
}

async function joined(pieces: Iterable<string>): Promise<string> {
  const slices = new Slices();
  const texts: string[] = [];
  for (const piece of pieces) {
    texts.push(piece);
    await slices.pause();
  }
  return texts.join('');
}

/** Safe in a shell, a URL and a header. */
export function fileName(about: readonly string[], extension: string): string {
  const parts = about.map((part) =>
    part.replaceAll("'", 'prime').replaceAll(/[^A-Za-z0-9.-]+/g, '-'),
  );
  return `${parts.join('_')}.${extension}`;
}
