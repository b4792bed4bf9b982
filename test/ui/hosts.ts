/** Hosts in the page: made, stepped, and an NMI set on a micro-step, until a bit is stuck. */
import type { Test } from 'tap';
import { expectMessages, openPage } from './browser.js';
import { checkLooks } from './checks.js';
import type { Opened } from './work.test.js';

export async function testHosts(t: Test, { app, origin, page }: Opened): Promise<void> {
  const button = (name: string | RegExp) => page.getByRole('button', { name, exact: true });
  const registers = page.getByRole('region', { name: 'Registers' });
  const pebs = registers.getByRole('row', { name: /^IA32_PEBS_ENABLE/ });
  const next = page.getByRole('region', { name: 'What next?' });
  let host = '';
  const get = async (route: string) => (await app.inject(`/v1/hosts/${host}${route}`)).json();

  t.test('one is made where there is none', async (t) => {
    await page.goto('/ui/hosts');
    await page.getByText('There is none yet').waitFor();
    await checkLooks(t, page, 'hosts, none');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByLabel('Name, if it is to have one').fill('bench');
    await button('Make it').click();
    await page.getByRole('heading', { name: 'bench', level: 1 }).waitFor();
    host = page.url().split('/').at(-1)!;
    t.match(await get(''), { name: 'bench', kernel: 'linux-7.2.6', cpus: 1 });
  });

  t.test('an event, a vCPU, and steps by buttons and keys', async (t) => {
    await button('Open the event').click();
    await next.getByText('active').waitFor();
    await pebs.getByRole('cell').first().getByText('0x1', { exact: true }).waitFor();
    await button('Add a vCPU').click();
    await next.getByText('at host').waitFor();
    await button('Micro-step').click();
    await next.getByText('at k0_irq_off').waitFor();
    await page.getByRole('main').focus();
    await page.keyboard.press('s');
    await next.getByText('at k1_run').waitFor();
    await button('To the guest').click();
    await registers.getByText('guest mode').waitFor();
    t.equal(await button('To the guest').count(), 0, 'it is there');
    await button('Out of the guest').click();
    await next.getByText('at host').waitFor();
    t.equal((await get('/metrics')).round_trips, 1);
    await page.getByText('No invariant is violated.').waitFor();
  });

  t.test('an operation can be made a micro-step at a time', async (t) => {
    await page.getByLabel('operations one micro-step at a time').check();
    await button('Disable').click();
    expectMessages(page, /status of 409/);
    await button('Tick').click();
    await page
      .getByRole('alert')
      .getByText(/is busy/)
      .first()
      .waitFor();
    await page.getByLabel('operations one micro-step at a time').uncheck();
    await button('Advance').click();
    await next.getByText('off').waitFor();
    await button('Enable').click();
    await next.getByText('active').waitFor();
    t.equal(await page.getByRole('alert').count(), 0);
  });

  t.test('an NMI is set on a micro-step by a click, and a bit is stuck', async (t) => {
    await page.getByLabel('What the NMI is').selectOption('PMC0 throttles');
    t.ok(await button('v6_exit_load').isDisabled(), 'no NMI lands there');
    await button('k5_switch').click();
    await pebs.getByText('PMC0 stuck').waitFor();
    await page.getByText(/violated: I1 1×/).waitFor();
    const { msrs } = await get('/msrs');
    t.match(msrs[1], { name: 'IA32_PEBS_ENABLE', stuck: ['PMC0'] });
    t.strictSame(
      await pebs.getByRole('cell').allTextContents(),
      ['0x1', '0x0', '0x0', '0x1'],
      'hardware, what perf wants, and both areas',
    );
    const { trace, per_round_trip } = {
      trace: await get('/trace?limit=1000'),
      ...(await get('/metrics')),
    };
    const steps = trace.items.length;
    await page.getByRole('heading', { name: `Step ${steps} of ${steps}` }).waitFor();
    const counts = page.getByRole('region', { name: 'Counts' });
    const loads = String(per_round_trip.vm_exit_load);
    t.match(await counts.textContent(), `loads at VM-exit${loads}`);
    await checkLooks(t, page, 'host');
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  t.test('what others do to it is seen, and a link leads to a step', async (t) => {
    const asked = { method: 'POST', url: `/v1/hosts/${host}/ticks`, payload: {} } as const;
    await app.inject(asked);
    const { items } = await get('/trace?limit=1000');
    await page.getByRole('heading', { name: `The last ${items.length} micro-steps` }).waitFor();
    const other = await openPage(t, origin);
    await other.goto(`/ui/h/${host}?step=3`);
    await other.getByRole('heading', { name: /^Step 3 of/ }).waitFor();
    await other.getByRole('button', { name: 'Follow the end' }).click();
    await other.getByRole('heading', { name: `Step ${items.length} of` }).waitFor();
  });

  t.test('the list has it until it is deleted', async () => {
    // Another page was in front of it until now; one in the background draws no frames, and a click waits for two.
    await page.bringToFront();
    await page.getByRole('link', { name: 'Hosts' }).click();
    await page
      .getByRole('row', { name: /^bench linux-7.2.6/ })
      .getByRole('link')
      .click();
    await button('Delete the host').click();
    await page.getByText('There is none yet').waitFor();
    expectMessages(page, /status of 404/);
    await page.goto(`/ui/h/${host}`);
    await page.getByRole('alert').waitFor();
    await page.getByRole('link', { name: 'All hosts' }).click();
    await page.getByText('There is none yet').waitFor();
  });
}
