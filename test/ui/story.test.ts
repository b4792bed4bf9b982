/** The first visit: three clicks from the matrix to a stuck bit, by mouse and by keyboard only. */
import t from 'tap';
import { openPage, serve, skip } from './browser.js';
import { checkLooks } from './checks.js';

/**
 * Medians in milliseconds, in one run: a plain table of 1,000 rows made and laid out, a move of the cursor with all that
 * follows, and a change of the zoom, which draws everything again.
 */
const MEASURE = `(async () => {
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  const timed = async (act) => {
    const begin = performance.now();
    act();
    await settled();
    document.body.offsetHeight;
    return performance.now() - begin;
  };
  const plain = () => {
    const table = document.createElement('table');
    for (let row = 0; row < 1000; row += 1) {
      const tr = table.insertRow();
      for (const text of [row, 'kvm', 'k5_switch', 'a step of the run', 'IA32_PEBS_ENABLE', '0x1']) {
        tr.insertCell().textContent = text;
      }
    }
    document.body.append(table);
    document.body.offsetHeight;
    table.remove();
  };
  const slider = document.querySelector('[role=slider]');
  const press = () =>
    slider.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true, cancelable: true }));
  const wider = document.querySelector('[aria-label="Wider steps"]');
  const repeat = async (times, act) => {
    const found = [];
    for (let at = 0; at < times; at += 1) found.push(await timed(act));
    return median(found);
  };
  await repeat(3, press);
  return {
    table: await repeat(5, plain),
    moves: await repeat(15, press),
    paint: await repeat(5, () => wider.click()),
  };
})()`;

t.test('the story of the first visit', { skip }, async (t) => {
  const { app, origin } = await serve(t);
  const page = await openPage(t, origin);
  const register = page.getByRole('region', { name: 'IA32_PEBS_ENABLE' });
  const stuck = register.getByRole('img', { name: /^PMC0 stuck/ });

  t.test('in three clicks', async (t) => {
    await page.goto('/');
    await page.getByRole('link', { name: 'Show me' }).click();
    await checkLooks(t, page, 'story, nothing done');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('button', { name: '1. Make such a host' }).click();
    await register.getByRole('img', { name: 'PMC0 set, as perf wants it' }).waitFor();
    await page.getByRole('button', { name: '2. Run the guest, with that NMI' }).click();
    await stuck.waitFor();
    await page.getByText('PMC0 is stuck.').waitFor();
    await checkLooks(t, page, 'story, stuck');
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  t.test('what it shows is what the host has', async (t) => {
    await page.waitForURL(/host=host_/);
    const [host] = /host_[0-9a-z]+/.exec(page.url())!;
    const { msrs } = (await app.inject(`/v1/hosts/${host}/msrs`)).json();
    t.match(msrs, [{}, { name: 'IA32_PEBS_ENABLE', stuck: ['PMC0'] }]);
    await page.reload();
    await stuck.waitFor();
    const slider = page.getByRole('slider', { name: 'Step' });
    t.match(await slider.getAttribute('aria-valuetext'), 'VM-exit loads the MSRs of its load area');
    await page.getByRole('button', { name: 'curl' }).click();
    const commands = await page.getByRole('dialog').textContent();
    t.match(commands, '"inject":[{"at":"k5_switch","nmi":{"throttle":["PMC0"]}}]');
    await page.keyboard.press('Escape');
  });

  t.test('and that the series helps', async (t) => {
    await page.getByRole('button', { name: 'The same on linux-7.3.4' }).click();
    await page.getByText('Nothing is stuck').waitFor();
    t.equal(await stuck.count(), 0);
    await page.goBack();
    await page.getByRole('link', { name: 'Show me' }).waitFor();
  });

  t.test('a trace of 1,000 steps paints and moves as fast as a plain table', async (t) => {
    const host = { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' };
    const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: host });
    const { id } = made.json();
    const actions = [
      { action: 'open_event', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
      { action: 'add_vcpu', name: 'guest' },
      { action: 'transition', vcpu: 'guest', kind: 'round_trip', count: 60 },
    ];
    const url = `/v1/hosts/${id}/scripts`;
    t.equal((await app.inject({ method: 'POST', url, payload: { actions } })).statusCode, 200);
    await page.goto(`/ui/story?host=${id}`);
    const slider = page.getByRole('slider', { name: 'Step' });
    await slider.waitFor();
    t.equal(await slider.getAttribute('aria-valuemax'), '1000');
    const { table, moves, paint } = (await page.evaluate(MEASURE)) as Record<string, number>;
    const report = `table ${table} ms, a move ${moves} ms, all of it ${paint} ms`;
    t.ok(moves! < table! / 2, `a move of the cursor takes less than half of a table: ${report}`);
    t.ok(paint! < table!, `and all of it less than one: ${report}`);
    await page.goto('/ui/');
  });

  t.test('by keyboard only', async (t) => {
    const press = (key: string) => page.keyboard.press(key);
    const tabTo = async (name: RegExp) => {
      for (let tried = 0; tried < 40; tried += 1) {
        await press('Tab');
        const text = await page.evaluate('document.activeElement.textContent');
        if (name.test(String(text))) return;
      }
      t.fail(`${name} is not reached`);
    };
    await tabTo(/^Show me$/);
    await press('Enter');
    await tabTo(/^1\. Make such a host$/);
    await press('Enter');
    await register.waitFor();
    await tabTo(/^2\. Run the guest/);
    await press('Enter');
    await stuck.waitFor();
    await tabTo(/^The shortest way there$/);
    await press('Enter');
    await page.getByRole('heading', { name: 'I1 after 24 steps' }).waitFor();
    await press('w');
    await page.getByRole('region', { name: 'The step at the cursor' }).waitFor();
  });
});
