/** The page in a browser: a walk through a world, its map, and why something cannot happen. */
import t from 'tap';
import { openPage, serve, skip } from './browser.js';
import { checkLooks } from './checks.js';

const PLACE = '/ui/s/matrix-linux-7.2.6-k3-late/walk';
/** After KVM has made its lists, before VM-entry. */
const WINDOW = '0/0/0/0/0/0/0/0/0/1/0/0/0/0';

t.test('the walk', { skip }, async (t) => {
  const { app, origin } = await serve(t);
  const page = await openPage(t, origin);
  const choices = page.getByRole('region', { name: 'Choices' });
  const state = page.getByRole('region', { name: 'State' });
  const after = (steps: number) =>
    page
      .getByRole('heading', {
        level: 1,
        name: `After ${steps} step${steps === 1 ? '' : 's'}`,
        exact: true,
      })
      .waitFor();

  t.test('begins at the first state, and takes choices by digits and clicks', async (t) => {
    await page.goto(PLACE);
    await page.getByRole('heading', { name: 'The first state' }).waitFor();
    await choices.getByRole('link', { name: 'v0 runs' }).click();
    await state.getByText('avoidable; the nearest violation is 23 steps on').waitFor();
    await page.keyboard.press('1');
    await after(2);
    await page.keyboard.press('u');
    await page.keyboard.press('u');
    await page.getByRole('heading', { name: 'The first state' }).waitFor();
    await page.goBack();
    t.match(page.url(), /\/walk\/0\b/, 'each step is one of the history');
  });

  t.test('shows the state, what can be avoided from it, and what cannot happen', async (t) => {
    await page.goto(`${PLACE}/${WINDOW}`);
    await after(14);
    t.match(await state.textContent(), /PMC0 lost/);
    t.match(await state.textContent(), /VM-entry loads 0x0, VM-exit 0x1/);
    const doomed = choices.getByRole('link', { name: 'the NMI arrives and throttles PMC0' });
    t.match(await doomed.textContent(), /unavoidable: violated 9 steps on at the earliest 9/);
    await page.getByText('3 cannot, and why').click();
    await page.getByText('its overflow is latched already').waitFor();
    const around = page.getByRole('region', { name: 'Neighbourhood' });
    t.match(await around.textContent(), /7 states · ⟲ 2 steps change nothing/);
    t.match(await around.textContent(), /↩ stands above/);
    await checkLooks(t, page, 'walk');
    await page.getByRole('tab', { name: 'Map' }).click();
    await checkLooks(t, page, 'walk, map');
    await page.setViewportSize({ width: 1280, height: 800 });
    await doomed.click();
    await after(15);
    await page.getByText('unavoidable: violated 9 steps on').first().waitFor();
  });

  t.test('has a map of all states, with the keyboard, too', async (t) => {
    const map = page.getByRole('region', { name: 'Map' });
    t.match(await map.textContent(), /34 places, 404 states, complete/);
    const here = map.getByRole('button', { name: /here$/ });
    t.match(await here.getAttribute('aria-label'), /^k8_prepare in run_vcpu: 6 states/);
    await here.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await map.getByRole('button', { name: /^k9_vmlaunch in run_vcpu.*, here$/ }).waitFor();
    await page
      .getByRole('region', { name: 'Path' })
      .getByRole('link', { name: /k4_list_build/ })
      .click();
    await after(6);
  });

  t.test('has a map of each CPU', async () => {
    const model = {
      cpu_model: 'emerald-rapids',
      kernel: 'linux-7.2.6',
      cpus: 2,
      events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
      vcpus: [{}],
      actors: [{ kind: 'nmi_throttle' }],
    };
    const payload = { model };
    const headers = { prefer: 'wait=20' };
    const asked = { method: 'POST', url: '/v1/explorations', headers, payload } as const;
    const { id } = (await app.inject(asked)).json();
    await page.goto(`/ui/e/${id}/walk`);
    const map = page.getByRole('region', { name: 'Map' });
    await map.getByRole('button', { name: 'CPU 1' }).click();
    await map.getByRole('heading', { name: 'Map of CPU 1' }).waitFor();
    const { nodes } = (await app.inject(`/v1/explorations/${id}/map?cpu=1`)).json();
    await map.getByText(new RegExp(`^${nodes.length} places`)).waitFor();
    await page.keyboard.press('1');
    await after(1);
    await map.getByRole('heading', { name: 'Map of CPU 1' }).waitFor();
  });

  t.test('goes on with twice the bound where one has cut the search', async (t) => {
    const search = async (bounds: object) =>
      (
        await app.inject({
          method: 'POST',
          url: '/v1/explorations',
          headers: { prefer: 'wait=20' },
          payload: { scenario: 'matrix-linux-7.2.6-k3-late', bounds },
        })
      ).json();
    const { id } = await search({ depth: 20 });
    await page.goto(`/ui/e/${id}/ce/I1-0`);
    await page
      .getByRole('heading', { name: /^Undecided after .*: cut by the bound on steps$/ })
      .waitFor();
    await page.getByRole('link', { name: 'Walk through the world' }).click();
    await page.getByText('Cut by the bound on steps').waitFor();
    await page.getByRole('button', { name: `Search further ${id}` }).click();
    await page.waitForURL(
      (url) => /\/ui\/e\/exp_\w+\/walk/.test(url.pathname) && !url.pathname.includes(id),
    );
    await page.getByRole('heading', { name: 'The first state' }).waitFor();
    const [found] = (await app.inject('/v1/explorations')).json().items;
    t.match(found, { verdict: 'violated', depth: 40 });
  });

  t.test('says so when a link is about another state', async (t) => {
    await page.goto(`${PLACE}/0/0?f=00000000`);
    await page.getByRole('heading', { name: 'This service reaches another state' }).waitFor();
    await page.getByRole('button', { name: 'Take this state' }).click();
    await page.waitForURL(/f=(?!00000000)[0-9a-f]{8}$/);
    t.equal(await page.getByRole('alert').count(), 0);
  });
});
