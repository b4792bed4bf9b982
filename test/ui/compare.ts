/** Two kernels side by side in the page: the same differences as the API says, and every one can be reached. */
import type { Test } from 'tap';
import { expectMessages, openPage } from './browser.js';
import { checkLooks } from './checks.js';
import type { Opened } from './work.test.js';

const SCRIPT = [
  { action: 'open_event', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
  { action: 'add_vcpu', name: 'guest' },
  {
    action: 'transition',
    vcpu: 'guest',
    kind: 'round_trip',
    inject: [{ at: 'k5_switch', nmi: { throttle: ['PMC0'] } }],
  },
];

export async function testCompare(t: Test, { app, origin, page }: Opened): Promise<void> {
  const panel = page.getByRole('region', { name: 'The step at the cursor' });
  const current = page.locator('[aria-current=step]');
  const firsts = page.getByRole('list', { name: 'First differences' });

  t.test(
    'a script shows the four kinds, and keys go from one difference to the next',
    async (t) => {
      const script = encodeURIComponent(JSON.stringify(SCRIPT));
      await page.goto(`/ui/compare?a=upstream-base&b=linux-6.12.117&script=${script}`);
      await firsts.waitFor();
      const kernelA = page.getByLabel('Kernel A');
      await kernelA.locator('option').nth(2).waitFor({ state: 'attached' });
      t.equal(await kernelA.inputValue(), 'upstream-base');
      const { sides, differences } = (
        await app.inject({
          method: 'POST',
          url: '/v1/comparisons/runs',
          payload: {
            kernels: ['upstream-base', 'linux-6.12.117'],
            cpu_model: 'emerald-rapids',
            script: SCRIPT,
          },
        })
      ).json();
      t.match(await page.getByText(/^Schedule: /).textContent(), `. ${sides[0].steps.length} and `);
      t.strictSame(
        await firsts.getByRole('listitem').locator('code').allTextContents(),
        ['control', 'write', 'state', 'verdict'].map(
          (kind) => differences.find((one: { kind: string }) => one.kind === kind).at,
        ),
      );
      const slider = page.getByRole('slider', { name: 'Step' });
      const lanes = page.getByRole('group', { name: 'The chosen lane' });
      await lanes.getByText('IA32_PEBS_ENABLE PMC0').waitFor();
      t.equal(
        await slider.getAttribute('aria-valuenow'),
        String(1 + differences[0].index[0]),
        'the cursor begins where they part',
      );
      await page.getByRole('main').focus();
      const rows = new Set(differences.map(({ index }: { index: unknown[] }) => index.join()));
      for (let seen = 1; seen < rows.size; seen += 1) {
        const before = await current.textContent();
        await page.keyboard.press('d');
        await page.waitForFunction(
          `document.querySelector('[aria-current=step]').textContent !== ${JSON.stringify(before)}`,
        );
      }
      const last = await current.textContent();
      await page.keyboard.press('d');
      t.equal(await current.textContent(), last, 'there are no more');
      await page.keyboard.press('D');
      await firsts.getByRole('button', { name: /control/ }).click();
      await panel.getByText('upstream-base alone').waitFor();
      t.match(await current.textContent(), 'k5_switch:IA32_PEBS_ENABLE');
      t.match(await current.textContent(), 'B does not make it');
      await firsts.getByRole('button', { name: /verdict/ }).click();
      await panel.getByText('Other invariants are violated').waitFor();
      await slider.press('End');
      await panel.getByRole('button', { name: 'IA32_PEBS_ENABLE PMC0 A stuck' }).waitFor();
      await panel.getByRole('button', { name: 'IA32_PEBS_ENABLE PMC0 B clear' }).click();
      await lanes.getByRole('radio', { name: 'B', checked: true }).waitFor();
      await firsts.getByRole('button', { name: /verdict/ }).click();
      await page.keyboard.press('o');
      await page.waitForURL(/view=overlay/);
      await page.keyboard.press('o');
      await page.keyboard.press('k');
      await panel.getByText('Both sides do the same here').waitFor();
      await checkLooks(t, page, 'compare');
      await page.setViewportSize({ width: 1280, height: 800 });
    },
  );

  t.test('a violation of a scenario is replayed on both, and the link says all', async (t) => {
    await page.getByLabel('Actions, as JSON').fill('');
    await page.getByLabel('Kernel A').selectOption('linux-7.2.6');
    await page.getByLabel('Kernel B').selectOption('linux-7.3.4');
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.getByText('the shortest violation of matrix-linux-7.2.6-k3-late').waitFor();
    t.equal(await page.title(), 'linux-7.2.6 ⇄ linux-7.3.4 · pebslab');
    await firsts.getByRole('button', { name: /write/ }).click();
    await page.waitForURL(/step=/);
    const other = await openPage(t, origin);
    await other.goto(page.url());
    await other.getByText('The same step writes something else').waitFor();
  });

  t.test('a search that told kernels apart is shown as it found them', async (t) => {
    const payload = { scenario: 'matrix-linux-7.2.6-k3-late', compare_with: 'linux-7.3.4' };
    const { id, difference } = (
      await app.inject({
        method: 'POST',
        url: '/v1/explorations',
        headers: { prefer: 'wait=30' },
        payload,
      })
    ).json();
    await page.goto(`/ui/compare?e=${id}`);
    await page.getByText(`found by ${id}`).waitFor();
    const kinds = new Set(difference.differences.map(({ kind }: { kind: string }) => kind));
    t.equal(await firsts.getByRole('listitem').count(), kinds.size);
  });

  t.test('equal kernels, and what cannot be run, are said', async (t) => {
    expectMessages(page, /status of 4/);
    await page.goto('/ui/compare?a=linux-7.2.6&b=upstream-base');
    await page.getByText('nothing tells them apart').waitFor();
    await page.goto('/ui/compare?script=%5B%7B');
    await page.getByRole('alert').getByText('The script is not JSON').waitFor();
    await page.goto('/ui/compare?scenario=matrix-linux-7.3.4-k3-late');
    await page.getByRole('alert').getByText('No schedule').waitFor();
    await checkLooks(t, page, 'compare, nothing');
  });
}
