/** A real browser for a test file: Debian's Chromium, one for all tests of the file, and what must never happen in it. */
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import type { FastifyInstance } from 'fastify';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import root, { type Test } from 'tap';
import { type BuildOptions, buildApp } from '../../src/app.js';
import { DEFAULT_CONFIG } from '../../src/config/configuration.js';
import { freshStorage } from '../helper.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) =>
  existsSync(path),
);

/** For `t.test`: why there is nothing to test with, or false. */
export const skip =
  CHROMIUM === undefined ? 'there is no Chromium: apt-get install chromium' : (false as const);

let launched: Promise<Browser> | undefined;

function browser(): Promise<Browser> {
  launched ??= chromium
    .launch({
      executablePath: CHROMIUM!,
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    })
    .then((browser) => {
      root.teardown(() => browser.close());
      return browser;
    });
  return launched;
}

/** A service that listens, with a database of its own. */
export async function serve(
  t: Test,
  options: BuildOptions = {},
): Promise<{ app: FastifyInstance; origin: string }> {
  const config = { ...DEFAULT_CONFIG, checkpointMegabytes: 0 };
  const app = await buildApp({ config, storage: await freshStorage(root), ...options });
  root.teardown(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  t.ok(port > 0);
  return { app, origin: `http://127.0.0.1:${port}` };
}

/** A tab that fails the test on any console message, page error or request to elsewhere. */
export async function openPage(
  t: Test,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await (await browser()).newContext({
    baseURL: origin,
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    ...options,
  });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  watch(t, page, origin);
  return page;
}

/** What a test expects a browser to complain about: requests that are to fail. */
const expected = new WeakMap<Page, RegExp>();

export function expectMessages(page: Page, pattern: RegExp): void {
  expected.set(page, pattern);
}

function watch(t: Test, page: Page, origin: string): void {
  page.on('console', (message) => {
    if (!expected.get(page)?.test(message.text())) t.fail(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => t.fail(`page error: ${error.stack ?? error.message}`));
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(`${origin}/`)) {
      t.fail(`foreign request: ${request.url()}`);
    }
  });
}
