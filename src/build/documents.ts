/** What a service with all routes sends of openapi.yaml: itself, the same as JSON, and in the words of OpenAPI 3.0. */
import { readFileSync, writeFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { asOpenApi30 } from '../http/openapi/openapi-3.0.js';

const SOURCE = new URL('../../../openapi.yaml', import.meta.url);
const TARGET = new URL('../../', import.meta.url);

export function readDocuments(): void {
  // Without the note to developers at the top.
  const text = readFileSync(SOURCE, 'utf8').replace(/^#.*\n/, '');
  const document = load(text) as object;
  put('openapi.yaml', text);
  put('openapi.json', JSON.stringify(document));
  put('openapi-3.0.json', JSON.stringify(asOpenApi30(document)));
}

const put = (name: string, text: string): void => writeFileSync(new URL(name, TARGET), text);
