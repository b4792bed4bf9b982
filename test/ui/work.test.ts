/** The page in a browser: the screens that are about what this service does and has; one service and one tab for all. */
import type { FastifyInstance } from 'fastify';
import type { Page } from 'playwright-core';
import t from 'tap';
import { openPage, serve, skip } from './browser.js';
import { testCompare } from './compare.js';
import { testHosts } from './hosts.js';
import { testLive } from './live.js';
import { testMachines } from './machines.js';
import { testPools } from './pools.js';

export interface Opened {
  readonly app: FastifyInstance;
  readonly origin: string;
  readonly page: Page;
}

t.test('the screens of work', { skip }, async (t) => {
  const { app, origin } = await serve(t);
  const page = await openPage(t, origin);
  const opened: Opened = { app, origin, page };
  for (const [name, run] of [
    ['live', testLive],
    ['hosts', testHosts],
    ['compare', testCompare],
    ['machines', testMachines],
    ['pools', testPools],
  ] as const) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await t.test(name, (t) => run(t, opened));
  }
});
