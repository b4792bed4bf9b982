/** Makes what the service runs on besides its own modules: `node dist/src/build/index.js`, after `tsc`. */
import process from 'node:process';
import { readDocuments } from './documents.js';
import { bundleLibraries } from './libraries.js';
import { bundlePage } from './page.js';

async function main(): Promise<void> {
  readDocuments();
  await bundlePage();
  await bundleLibraries();
}

await main().catch((error: unknown) => {
  process.stderr.write(`pebslab: the build failed: ${String(error)}\n`);
  process.exitCode = 1;
});
