/** The page in a browser: what the service works on, kept up to date by its events. */
import type { Test } from 'tap';
import { expectMessages } from './browser.js';
import { checkLooks } from './checks.js';
import type { Opened } from './work.test.js';

/** A search that takes longer than this test. */
const LONG = {
  model: {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    cpus: 2,
    events: [
      { counter: 'PMC0', precise_ip: 2, exclude_guest: true },
      { counter: 'PMC1', precise_ip: 2 },
      { counter: 'PMC2', precise_ip: 1, cpu: 1 },
    ],
    vcpus: [{}, { cpu: 1 }],
    actors: [
      { kind: 'nmi_throttle', budget: 4 },
      { kind: 'tick', budget: 3 },
      { kind: 'event_disable', budget: 2 },
      { kind: 'event_enable', budget: 2 },
    ],
  },
  bounds: { seconds: 120 },
};

export async function testLive(t: Test, { app, origin, page }: Opened): Promise<void> {
  const section = (name: string) => page.getByRole('region', { name, exact: true });
  const json = page.getByLabel('POST /v1/explorations');
  const start = page.getByRole('button', { name: 'Start' });

  t.test('says so where nothing is', async (t) => {
    await page.goto('/ui/live');
    await section('Explorations').getByText('Nothing was searched yet').waitFor();
    await section('Campaigns').getByText('No campaign').waitFor();
    await section('Events').getByText('Nothing has happened').waitFor();
    await page.getByRole('status').filter({ hasText: 'live' }).waitFor();
    await checkLooks(t, page, 'live, nothing there');
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  t.test('the form shows what it sends', async (t) => {
    t.strictSame(JSON.parse(await json.inputValue()), { scenario: 'matrix-linux-7.2.6-k3-late' });
    await page.getByLabel('Compare with').selectOption('linux-7.3.4');
    await page.getByLabel('Seconds at most').fill('20');
    t.strictSame(JSON.parse(await json.inputValue()), {
      scenario: 'matrix-linux-7.2.6-k3-late',
      compare_with: 'linux-7.3.4',
      bounds: { seconds: 20 },
    });
    await start.click();
    const row = section('Explorations').getByRole('listitem');
    await row.getByText('24 steps to a violation').waitFor();
    const [found] = (await app.inject('/v1/explorations')).json().items;
    t.equal(found.compare_with, 'linux-7.3.4');
    t.match(await row.textContent(), `${found.distinct_states} states, depth ${found.depth}`);
    t.equal(await row.getByRole('link').getAttribute('href'), `/ui/compare?e=${found.id}`);
  });

  t.test('the JSON can be written by hand, and what is wrong is said', async (t) => {
    expectMessages(page, /status of 4(00|22)/);
    await json.fill('{"scenario": ');
    await start.click();
    await page.getByRole('alert').getByText('This is not JSON').waitFor();
    await json.fill('{"scenario": "no-such-scenario"}');
    await start.click();
    await page.getByRole('alert').getByText('/scenario', { exact: true }).waitFor();
    t.equal((await app.inject('/v1/explorations')).json().items.length, 1);
  });

  t.test('a search that a bound has cut goes on with twice the bound', async () => {
    const bounds = { states: 100 };
    await json.fill(JSON.stringify({ scenario: 'matrix-linux-7.2.6-k3-late', bounds }));
    await start.click();
    const row = section('Explorations').getByRole('listitem').first();
    await row.getByText('cut by the bound on states').waitFor();
    await row.getByRole('button', { name: 'Search further' }).click();
    await row.getByText('24 steps to a violation').waitFor();
    await row.getByText('200 states').waitFor();
  });

  t.test('a search is followed, paused, taken up again and cancelled', async (t) => {
    await json.fill(JSON.stringify(LONG));
    await start.click();
    const row = section('Explorations').getByRole('listitem').first();
    await row.getByText(/\/s · depth \d/).waitFor();
    const id = await row.locator('code').textContent();
    await row.getByRole('button', { name: 'Pause' }).click();
    await row.getByText('paused').waitFor();
    const stateNow = async () => (await app.inject(`/v1/explorations/${id}`)).json().state;
    t.equal(await stateNow(), 'paused');
    await row.getByRole('button', { name: 'Resume' }).click();
    await row.getByText(/queued|running/).waitFor();
    await row.getByRole('button', { name: 'Cancel' }).click();
    await row.getByText('cancelled').waitFor();
    t.equal(await stateNow(), 'cancelled');
  });

  t.test('a campaign shows the rates of its cells, by a link as well', async (t) => {
    await page.getByRole('radio', { name: 'Take random walks' }).check();
    await page.getByLabel('CPU models').selectOption(['emerald-rapids', 'haswell-x']);
    await page.getByLabel('Walks in each cell').fill('100');
    await start.click();
    const cell = page.getByRole('row', { name: 'linux-7.2.6' }).getByRole('cell').first();
    await section('Campaigns')
      .getByText(/^▲ \d of 4 cells$/)
      .waitFor();
    const [{ id }] = (await app.inject('/v1/campaigns')).json().items;
    const { cells } = (await app.inject(`/v1/campaigns/${id}/results`)).json();
    const { rate } = cells[0].properties.find((one: { id: string }) => one.id === 'I1');
    await cell.getByText(`I1 ${Number((rate * 100).toPrecision(3))} %`).waitFor();
    await page.waitForURL(`${origin}/ui/live?campaign=${id}`);
    await page.reload();
    await cell.waitFor();
    t.equal(await page.getByRole('button', { expanded: true }).count(), 1);
    const link = cell.getByRole('link', { name: /^walk \d+, \d+ steps$/ });
    const [, steps] = /, (\d+) steps$/.exec((await link.textContent())!)!;
    await link.click();
    await page.getByRole('heading', { name: `A walk of ${steps} steps ▲ I1` }).waitFor();
    const panel = page.getByRole('region', { name: 'The step at the cursor' });
    await panel.getByRole('button', { name: 'IA32_PEBS_ENABLE PMC0 stuck' }).waitFor();
    await page.getByRole('tab', { name: 'Story' }).click();
    await page.getByRole('region', { name: 'Story' }).waitFor();
    await page.getByRole('link', { name: 'Walk on from here' }).click();
    await page.getByRole('heading', { name: `After ${steps} steps` }).waitFor();
    await page.getByRole('link', { name: 'As a timeline' }).click();
    await page.getByRole('heading', { name: `A walk of ${steps} steps ▲` }).waitFor();
    await page.goto(`/ui/live?campaign=${id}`);
  });

  t.test('events come in, and a pause keeps the place', async (t) => {
    const events = section('Events');
    const end = () =>
      app.inject({
        method: 'POST',
        url: '/v1/explorations',
        headers: { prefer: 'wait=20' },
        payload: { scenario: 'matrix-linux-7.3.4-k3-late' },
      });
    await end();
    const ended = events.getByText('exploration.ended', { exact: true });
    await ended.waitFor();
    await checkLooks(t, page, 'live');
    await events.getByRole('button', { name: 'Pause' }).click();
    await end();
    await events.getByRole('button', { name: /^Go on, [12] new$/ }).click();
    await ended.nth(1).waitFor();
    const row = section('Explorations').getByRole('listitem').first();
    await row.getByRole('button', { name: 'Delete' }).click();
    await events.getByText('exploration.deleted').waitFor();
    t.equal(await section('Explorations').getByRole('listitem').count(), 6);
  });
}
