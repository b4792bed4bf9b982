/** The page in a browser while the service is not always there: what is on screen equals what a fresh GET says. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import root from 'tap';
import { buildApp } from '../../src/app.js';
import { DEFAULT_CONFIG } from '../../src/config/configuration.js';
import { freshStorage } from '../helper.js';
import { expectMessages, openPage, skip } from './browser.js';

const CONFIG = { ...DEFAULT_CONFIG, checkpointMegabytes: 0 };

root.test('the stream of events', { skip }, async (t) => {
  const storage = await freshStorage(root);
  const start = async (port: number): Promise<FastifyInstance> => {
    const app = await buildApp({ config: CONFIG, storage });
    await app.listen({ host: '127.0.0.1', port });
    return app;
  };
  let app = await start(0);
  root.teardown(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const page = await openPage(t, `http://127.0.0.1:${port}`);
  expectMessages(page, /ERR_|status of (410|503)/);

  const search = (scenario: string) =>
    app.inject({
      method: 'POST',
      url: '/v1/explorations',
      headers: { prefer: 'wait=30' },
      payload: { scenario },
    });
  const link = (name: string) => page.getByRole('link', { name });
  const state = (text: string) => page.getByRole('status').filter({ hasText: text }).waitFor();

  t.test('comes back by itself after a restart of the service', async () => {
    await page.goto('/ui/');
    await state('live');
    await search('h1-group-throttle-linux-7.3.4');
    await app.close();
    await state('reconnecting');
    app = await start(port);
    // Before the page is there again; afterwards it must not be missing.
    await search('matrix-linux-7.2.6-k3-prompt');
    await link('linux-7.2.6, K3 prompt: violated 23').waitFor();
    await state('live');
  });

  t.test(
    'starts over where its place is forgotten, and says that there is a newer page',
    async () => {
      // It must have heard something to have a place in the stream.
      await search('matrix-linux-7.2.6-k3-late');
      await link('linux-7.2.6, K3 late: violated 24').waitFor();
      let refused = 0;
      await page.route('**/v1/events', async (route) => {
        if (route.request().headers()['last-event-id'] === undefined) return route.continue();
        refused += 1;
        return route.fulfill({
          status: 410,
          contentType: 'application/problem+json',
          body: JSON.stringify({ title: 'gone', status: 410, detail: 'The cursor is too old.' }),
        });
      });
      await page.route('**/ui/', (route) =>
        route.fulfill({ contentType: 'text/html', body: '<script src="/ui/assets/other.js">' }),
      );
      await app.close();
      await state('reconnecting');
      app = await start(port);
      await search('matrix-linux-7.3.4-k3-late');
      await link('linux-7.3.4, K3 late: holds').waitFor();
      await state('live');
      t.ok(refused > 0);
      await page.getByText('The service has been updated since').waitFor();
      await page.unrouteAll();
    },
  );

  t.test('waits where the service says so', async () => {
    let asked = 0;
    await page.route('**/v1/scenarios?*', async (route) => {
      asked += 1;
      if (asked > 1) return route.continue();
      return route.fulfill({
        status: 503,
        headers: { 'retry-after': '1' },
        contentType: 'application/problem+json',
        body: JSON.stringify({ title: 'busy', status: 503, detail: 'Try again.' }),
      });
    });
    await page.reload();
    await page.getByText('The service is busy and asked to wait').waitFor();
    await link('linux-7.2.6, K3 prompt: violated 23').waitFor();
    t.equal(asked, 2);
    t.equal(await page.getByText('The service is busy').count(), 0);
  });

  t.test('shows what all searches say, and forgets those that are deleted', async (t) => {
    const { items } = (await app.inject('/v1/explorations?limit=100')).json();
    const found = page.locator('.matrix .verdict:not([data-expected])');
    t.equal(
      await found.count(),
      items.filter((one: { scenario: string }) => one.scenario.startsWith('matrix-')).length,
    );
    for (const { id } of items)
      await app.inject({ method: 'DELETE', url: `/v1/explorations/${id}` });
    await link('linux-7.2.6, K3 prompt: expected: violated').waitFor();
    t.equal(await found.count(), 0);
  });
});
