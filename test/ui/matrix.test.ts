/** The page in a browser: the frame around the screens, and the matrix. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { DEFAULT_CONFIG } from '../../src/config/configuration.js';
import { expectMessages, openPage, serve, skip } from './browser.js';
import { checkLooks } from './checks.js';

const SCENARIO = 'matrix-linux-7.2.6-k3-late';

t.test('the matrix', { skip }, async (t) => {
  const { app, origin } = await serve(t);
  const page = await openPage(t, origin);

  t.test('shows what is expected before anything was searched', async (t) => {
    await page.goto('/');
    t.equal(page.url(), `${origin}/ui/`, 'a browser is sent to the page');
    const cell = page.getByRole('link', { name: 'linux-7.2.6, K3 late: expected: violated' });
    await cell.waitFor();
    await page.getByRole('status').filter({ hasText: 'live' }).waitFor();
    t.equal(await page.title(), 'Every kernel, every class of CPU · pebslab');
    await checkLooks(t, page, 'matrix, nothing searched');
  });

  t.test(
    'fills a cell when anybody has searched it, and goes on where a bound cut it',
    async (t) => {
      const payload = { scenario: SCENARIO, bounds: { states: 100 } };
      await app.inject({ method: 'POST', url: '/v1/explorations', payload });
      const row = page.getByRole('row', { name: 'linux-7.2.6' });
      await row.getByRole('link', { name: 'linux-7.2.6, K3 late: undecided 100' }).waitFor();
      await page.getByRole('button', { name: 'curl' }).click();
      const further = `{"scenario":"${SCENARIO}","bounds":{"seconds":60,"states":200}}`;
      await page.getByRole('dialog').getByText(`--json '${further}'`).waitFor();
      await page.keyboard.press('Escape');
      t.equal(await page.getByRole('alert').count(), 0, 'it contradicts nothing');
      await checkLooks(t, page, 'matrix, cut');
      await page.setViewportSize({ width: 1280, height: 800 });
      await row.getByRole('button', { name: 'Search further linux-7.2.6, K3 late' }).click();
      const cell = row.getByRole('link', { name: 'linux-7.2.6, K3 late: violated 24' });
      await cell.waitFor();
      // Where no return is possible is known only of a whole world.
      await app.inject({
        method: 'POST',
        url: '/v1/explorations',
        payload: { scenario: SCENARIO },
      });
      await row.locator('[href*="step=15"]').waitFor();
      t.match(await cell.getAttribute('href'), `/ui/s/${SCENARIO}/ce/I1-0?step=15`);
      await page.reload();
      await cell.waitFor();
      // What it costs is asked for apart, and may come later.
      await row.getByRole('gridcell').last().getByText('7', { exact: true }).waitFor();
    },
  );

  t.test('is one stop for the keyboard, and arrows move in it', async (t) => {
    const focused = () => page.evaluate('document.activeElement.textContent');
    await page.getByRole('link', { name: /^linux-7\.3\.4, K1 prompt/ }).focus();
    await page.keyboard.press('ArrowRight');
    t.match(await focused(), /^linux-7\.3\.4, K1 late/);
    for (let at = 0; at < 4; at += 1) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    t.match(await focused(), /^linux-6\.1\.192, K3 late/, 'it has no K4');
    await page.keyboard.press('Control+Home');
    t.match(await focused(), /^linux-7\.3\.4, K1 prompt/);
    for (const [name, letter] of [
      [/^linux-7\.2\.6, K3 late/, 'x'],
      [/^linux-7\.3\.4, K3 late/, 'x'],
    ] as const) {
      await page.getByRole('link', { name }).focus();
      await page.keyboard.press(letter);
    }
    const compare = page.getByRole('link', { name: 'Compare', exact: true }).last();
    t.equal(
      await compare.getAttribute('href'),
      `/ui/compare?a=linux-7.2.6&b=linux-7.3.4&scenario=${SCENARIO}`,
    );
    await page.getByRole('button', { name: 'Unmark' }).click();
    const stops = page.locator('table a:not([tabindex="-1"])');
    t.equal(await stops.count(), 1);
  });

  t.test('has the other scenarios and the costs beside it', async (t) => {
    await page.getByRole('tab', { name: 'Main race' }).focus();
    await page.keyboard.press('ArrowRight');
    t.equal(page.url(), `${origin}/ui/hazards`);
    await page.getByRole('heading', { name: /^H1: a plain leader/ }).waitFor();
    await checkLooks(t, page, 'hazards');
    await page.getByRole('tab', { name: 'Costs' }).click();
    const row = page.getByRole('row', { name: 'linux-7.2.6' });
    await row.getByText('7', { exact: true }).first().waitFor();
    await checkLooks(t, page, 'costs');
    await page.goBack();
    await page.getByRole('heading', { name: /^H1: a plain leader/ }).waitFor();
  });

  t.test('says how to get the same without it', async (t) => {
    await page.getByRole('button', { name: 'curl' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`--json '{"scenario":"${SCENARIO}"}'`).waitFor();
    t.match(await dialog.textContent(), `curl -s '${origin}/v1/scenarios/matrix?limit=1000'`);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys on this screen' }).waitFor();
    await page.getByRole('checkbox', { name: 'Single letters act' }).uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    t.equal(await page.getByRole('dialog').count(), 0, 'letters can be switched off');
  });

  t.test('finds any scenario by a few letters', async (t) => {
    await page.keyboard.press('Control+k');
    const dialog = page.getByRole('dialog', { name: 'Find a screen or a scenario' });
    await dialog.getByRole('option', { name: 'Walk screen' }).waitFor();
    await page.keyboard.type('7.2.6 k3 late');
    await dialog.getByRole('option', { name: SCENARIO, selected: true }).waitFor();
    await checkLooks(t, page, 'find');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Step 15 of 24' }).waitFor();
    t.match(new URL(page.url()).pathname, `/ui/s/${SCENARIO}/ce/I1-0`);
  });

  t.test('finds nothing at an address of another version', async () => {
    await page.goto('/ui/no/such/place');
    await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor();
    await page.getByRole('link', { name: 'Go to the matrix' }).click();
    await page.getByRole('row', { name: 'linux-7.2.6' }).waitFor();
  });
});

t.test('a service with tokens', { skip }, async (t) => {
  const token = 'rrrr-0123456789abcdef';
  const sha256 = createHash('sha256').update(token).digest('hex');
  const tokens = [{ name: 'reader', scope: 'read' as const, sha256 }];
  const { origin } = await serve(t, { config: { ...DEFAULT_CONFIG, tokens } });
  const page = await openPage(t, origin);
  expectMessages(page, /status of 401/);
  await page.goto('/ui/');
  const dialog = page.getByRole('dialog', { name: 'This service asks for an access token' });
  await checkLooks(t, page, 'token');
  await dialog.getByLabel('Access token').fill('wrong-0123456789abcdef');
  await page.keyboard.press('Enter');
  await dialog.getByText('The token is not valid').waitFor();
  await dialog.getByLabel('Access token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('row', { name: 'linux-7.2.6' }).waitFor();
  await page.getByRole('status').filter({ hasText: 'live' }).waitFor();
  t.equal(page.url(), `${origin}/ui/`, 'it is in no address');
  await page.reload();
  await page.getByRole('row', { name: 'linux-7.2.6' }).waitFor();
  t.equal(await page.getByRole('dialog').count(), 0, 'the tab keeps it');
});
