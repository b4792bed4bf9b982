/**
 * Writes the types of the API for the page, from openapi.yaml. They are needed only to check the page, not to bundle it, so they
 * are made by the build and not kept in the repository.
 */
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTypes, { astToString } from 'openapi-typescript';

const TARGET = 'src/ui/api/schema.d.ts';

const document = readFileSync('openapi.yaml', 'utf8');
const head = `// Made from openapi.yaml ${hash('sha256', document).slice(0, 16)} by \`npm run build\`.\n`;

if (!written().startsWith(head)) {
  writeFileSync(TARGET, head + astToString(await openapiTypes(document)));
}

function written(): string {
  try {
    return readFileSync(TARGET, 'utf8');
  } catch {
    return '';
  }
}
