/** The formats of documents, and which of them a text is in. */
import type { DocumentFormat } from './document.js';
import { junit } from './junit.js';
import { kcidb } from './kcidb.js';
import { lavaCallback, lavaResults } from './lava.js';
import { maestro } from './maestro.js';
import { pullLabs, pullLabsJob } from './pull-labs.js';
import { tuxsuite } from './tuxsuite.js';

/** In the order in which they are recognised. */
export const DOCUMENTS: readonly DocumentFormat[] = [
  kcidb,
  lavaCallback,
  maestro,
  pullLabsJob,
  pullLabs,
  tuxsuite,
  lavaResults,
  junit,
];

/** Characters by which a document is recognised. */
export const HEAD_CHARACTERS = 65_536;

/** Whether a text that begins like this may be a document: JSON, XML, or a list in YAML. */
export const mayBeDocument = (start: string): boolean =>
  /^\ufeff?\s*(?:$|\{\s*(?:$|"|\})|\[\s*(?:$|\{)|<(?:$|\?|t)|-(?:$|--|\s*(?:$|\{\s*(?:$|\w)|\w+(?:$|:))))/.test(
    start,
  );

export const recogniseDocument = (head: string): DocumentFormat | null =>
  DOCUMENTS.find((format) => format.looksLike(head)) ?? null;
