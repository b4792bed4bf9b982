/** The page in a browser: a counterexample, by mouse and by keyboard, in all its faces. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { expectMessages, openPage, serve, skip } from './browser.js';
import { checkLooks } from './checks.js';

const PLACE = '/ui/s/matrix-linux-7.2.6-k3-late/ce/I1-0';

/** How bright each pixel of a picture is, read by the browser that took it; all pictures as 20 by 20. */
function greysOf(page: Page, png: Buffer): Promise<number[]> {
  return page.evaluate(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${png.toString('base64')}';
    await image.decode();
    const canvas = new OffscreenCanvas(20, 20);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0, 20, 20);
    const { data } = context.getImageData(0, 0, 20, 20);
    return Array.from({ length: 400 }, (_, i) =>
      0.2126 * data[4 * i] + 0.7152 * data[4 * i + 1] + 0.0722 * data[4 * i + 2]);
  })()`);
}

/** What Perfetto does with those who hand it a trace. */
const PERFETTO = `<script>
  addEventListener('message', ({ data, source, origin }) => {
    if (data === 'PING') return source.postMessage('PONG', origin);
    const { buffer, title } = data.perfetto;
    const { traceEvents } = JSON.parse(new TextDecoder().decode(buffer));
    document.title = title + ': ' + traceEvents.length + ' events';
  });
</script>`;

t.test('the timeline', { skip }, async (t) => {
  const { app, origin } = await serve(t);
  const second = await serve(t);
  const page = await openPage(t, origin);
  const slider = page.getByRole('slider', { name: 'Step' });
  const panel = page.getByRole('region', { name: 'The step at the cursor' });
  const at = (step: number) => panel.getByRole('heading', { name: `Step ${step} of 24` }).waitFor();
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };

  t.test('a link searches the scenario, and begins at the point of no return', async (t) => {
    await page.goto(PLACE);
    await at(15);
    t.match(await page.getByRole('heading', { level: 1 }).textContent(), /I1 after 24 steps/);
    t.match(await panel.textContent(), /Point of no return/);
    t.match(await page.title(), 'linux-7.2.6 · emerald-rapids · late NMIs');
    const { items } = (await app.inject('/v1/explorations')).json();
    t.equal(items.length, 1, 'once');
    await checkLooks(t, page, 'timeline');
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  t.test('the keyboard moves the cursor, and finds who wrote the stuck bit', async (t) => {
    await slider.focus();
    await press('ArrowRight');
    t.equal(await slider.getAttribute('aria-valuenow'), '16');
    await press('Home');
    await panel.getByRole('heading', { name: 'Before the first step' }).waitFor();
    await press('End');
    await at(24);
    t.match(await panel.textContent(), /IA32_PEBS_ENABLE PMC0stuck/);
    await press('w');
    await at(23);
    await press('w');
    await at(11);
    t.match(
      await panel.textContent(),
      'VM-exit MSR-load area, IA32_PEBS_ENABLE: not listed → PMC0',
    );
    await press('w');
    await at(6);
    t.match(await panel.textContent(), 'list (host), IA32_PEBS_ENABLE: not listed → PMC0');
    await press('Backspace', 'Backspace');
    await at(23);
    await press('e');
    await at(15);
    await press('v');
    await at(24);
    await press('[', '[');
    await at(10);
    await press('n');
    await at(11);
    await press('n', 'n');
    await at(18);
    await press('J', 'n');
    await page.waitForURL(/[?&]pin=/);
  });

  t.test('steps are bookmarked by keys and by a button, and the address keeps them', async (t) => {
    await press('v', 'Shift+Digit3', 'e', 'Shift+Digit1', '3');
    await at(24);
    await page.waitForURL(/[?&]marks=15\.\.24\b/);
    await page.reload();
    const bookmarks = panel.getByRole('group', { name: 'Bookmarks' });
    await bookmarks.getByRole('button', { name: '⚑1 step 15' }).click();
    await at(15);
    const button = bookmarks.getByRole('button', { name: 'Bookmark', exact: true });
    await button.click();
    await page.waitForURL(/[?&]marks=\.\.24\b/);
    t.equal(await button.getAttribute('aria-pressed'), 'false');
    await button.click();
    await page.waitForURL(/[?&]marks=15\.\.24\b/);
  });

  t.test('the mouse, too', async () => {
    await page.getByRole('radio', { name: 'PMC0' }).first().check();
    const box = (await slider.boundingBox())!;
    await page.mouse.click(box.x + (box.width * 23.5) / 25, box.y + 20);
    await at(23);
    await page.getByRole('button', { name: 'Who wrote this?' }).click();
    await at(11);
    await page.getByRole('button', { name: 'Back', exact: true }).click();
    await at(23);
  });

  t.test('every face shows the same cursor and moves it', async (t) => {
    await page.getByRole('tab', { name: 'Table' }).click();
    const row = page.getByRole('row', { selected: true });
    t.match(await row.textContent(), /^Step 23/);
    await page.getByRole('button', { name: /^Step 24.*⚑3/ }).waitFor();
    t.equal(await row.getByRole('img', { name: 'PMC0 stuck' }).count(), 1);
    await page.getByRole('checkbox', { name: /^Only what writes/ }).check();
    t.equal(await page.getByRole('button', { name: 'Step 12' }).count(), 0, 'it only marks time');
    t.equal(await page.getByRole('button', { name: /^Step 24/ }).count(), 1, 'it has a mark');
    await page.getByRole('button', { name: /^Step 15/ }).click();
    await at(15);
    await checkLooks(t, page, 'table');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('tab', { name: 'Sequence' }).click();
    const current = page.locator('[aria-current=step]');
    t.match(await current.textContent(), /^15 ★/);
    await page.getByRole('button', { name: /^11 / }).click();
    await at(11);
    await checkLooks(t, page, 'sequence');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('tab', { name: 'Story' }).click();
    await page.getByRole('region', { name: 'Story' }).getByText('PMC0 is stuck').waitFor();
    await page.getByRole('tab', { name: 'Script' }).click();
    const script = page.getByRole('region', { name: 'Script' });
    await script.getByText('"k8_prepare"').waitFor();
    const { actions } = JSON.parse((await script.textContent())!);
    const host = { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' };
    const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: host });
    const url = `/v1/hosts/${made.json().id}/scripts`;
    const replayed = await app.inject({ method: 'POST', url, payload: { actions } });
    t.match(replayed.json().violations, [{ invariant: 'I1' }], 'the script does what the run did');
  });

  t.test('an address is a moment: reload, back and another tab', async (t) => {
    await page.goto(`${PLACE}?step=18&view=table`);
    await at(18);
    await page.getByRole('tab', { name: 'Sequence' }).click();
    await page.waitForURL(/view=sequence/);
    await page.reload();
    await at(18);
    t.equal(await page.getByRole('tab', { selected: true }).textContent(), 'Sequence');
    await page.getByRole('link', { name: 'Matrix' }).click();
    await page.getByRole('row', { name: 'linux-7.2.6' }).waitFor();
    await page.goBack();
    await at(18);
    const other = await openPage(t, origin);
    await other.goto(page.url());
    await other.getByRole('heading', { name: 'Step 18 of 24' }).waitFor();
  });

  t.test('another instance understands the address, and comes to the same moment', async (t) => {
    const other = await openPage(t, second.origin);
    await page.getByRole('link', { name: 'Walk on from here' }).click();
    await page.waitForURL(/[?&]f=[0-9a-f]{8}/);
    const { pathname, search } = new URL(page.url());
    await other.goto(pathname + search);
    await other.getByRole('heading', { name: 'After 18 steps' }).waitFor();
    t.equal(await other.getByRole('alert').count(), 0, 'it is the same state');
    await other.goto(`${PLACE}?step=18`);
    await other.getByRole('heading', { name: 'Step 18 of 24' }).waitFor();
    await page.goBack();
    await at(18);
  });

  t.test('set, lost and stuck are told apart without colour', async (t) => {
    await page.goto(`${PLACE}?view=table&step=23`);
    await page.setViewportSize({ width: 1280, height: 1400 });
    await at(23);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const greys = new Map<string, number[]>();
      for (const state of ['set', 'clear', 'lost', 'stuck']) {
        const shot = await page.locator(`.bit-cell .bit[data-state=${state}]`).last().screenshot();
        greys.set(state, await greysOf(page, shot));
      }
      for (const [one, own] of greys) {
        for (const [other, its] of greys) {
          if (one >= other) continue;
          const apart =
            own.reduce((sum, grey, i) => sum + Math.abs(grey - its[i]!), 0) / own.length;
          t.ok(
            apart > 12,
            `${colorScheme}: ${one} and ${other} differ by ${apart.toFixed(1)} of 255`,
          );
        }
      }
    }
    await page.emulateMedia({ colorScheme: 'light', forcedColors: 'active' });
    await page.getByRole('tab', { name: 'Timeline' }).click();
    await slider.waitFor();
    const colours = await page.evaluate(`(() => {
      const { width, height } = document.querySelector('canvas');
      const context = document.querySelector('canvas').getContext('2d');
      return new Set(new Uint32Array(context.getImageData(0, 0, width, height).data.buffer)).size;
    })()`);
    t.ok(Number(colours) > 2, `a picture in the colours of the system: ${colours}`);
    await page.emulateMedia({ forcedColors: 'none' });
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  t.test('files of other tools can be taken along', async (t) => {
    await page.getByRole('button', { name: 'Take along' }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'VCD (GTKWave, Surfer)' }).click(),
    ]);
    t.equal(download.suggestedFilename(), 'I1-0_matrix-linux-7.2.6-k3-late.vcd');
    const path = join(mkdtempSync(join(tmpdir(), 'pebslab-page-')), 'run.vcd');
    await download.saveAs(path);
    t.match(readFileSync(path, 'utf8'), /\$enddefinitions \$end/);

    await page
      .context()
      .route('https://ui.perfetto.dev/**', (route) =>
        route.fulfill({ contentType: 'text/html', body: PERFETTO }),
      );
    const [viewer] = await Promise.all([
      page.waitForEvent('popup'),
      page.getByRole('button', { name: 'Open in Perfetto' }).click(),
    ]);
    await viewer.waitForFunction('document.title !== ""');
    t.match(await viewer.title(), /^linux-7\.2\.6 .*: [0-9]+ events/, 'the trace has arrived');
    await viewer.close();
    await page.keyboard.press('Escape');
  });

  t.test('a world of one’s own is in the address', async (t) => {
    const model = {
      cpu_model: 'emerald-rapids',
      kernel: 'linux-7.2.6',
      events: [{ counter: 'PMC0', precise_ip: 2, exclude_guest: true }],
      vcpus: [{}],
      actors: [{ kind: 'nmi_throttle' }],
    };
    const { id } = (
      await app.inject({
        method: 'POST',
        url: '/v1/explorations',
        headers: { prefer: 'wait=30' },
        payload: { model },
      })
    ).json();
    await page.goto(`/ui/e/${id}/ce/I1-0?step=5`);
    await page.getByRole('heading', { name: 'Step 5 of 23' }).waitFor();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Take along' }).click();
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByText('Copied').waitFor();
    const copied = new URL(String(await page.evaluate('navigator.clipboard.readText()')));
    t.match(copied.pathname, /^\/ui\/m\/[\w-]{50,400}\/ce\/I1-0$/);
    const other = await openPage(t, second.origin);
    await other.goto(copied.pathname + copied.search);
    await other.getByRole('heading', { name: 'Step 5 of 23' }).waitFor();
    await page.keyboard.press('Escape');
  });

  t.test('worlds of one’s own are listed, and can be taken off the list', async (t) => {
    await page.goto('/ui/mine');
    const row = page.getByRole('row', { name: /^linux-7\.2\.6 · emerald-rapids · prompt NMIs/ });
    await row.getByText('1 CPU, 1 event, 1 vCPU, nmi_throttle').waitFor();
    await checkLooks(t, page, 'my worlds');
    await page.setViewportSize({ width: 1280, height: 800 });
    await row.getByRole('link').click();
    await page.getByRole('heading', { name: 'The first state' }).waitFor();
    t.match(new URL(page.url()).pathname, /^\/ui\/m\//);
    await page.goBack();
    await row.getByRole('button', { name: /^Delete linux/ }).click();
    await page.getByText('There is none yet').waitFor();
    await page.reload();
    await page.getByText('There is none yet').waitFor();
  });

  t.test('where there is no counterexample it says so', async (t) => {
    await page.goto('/ui/s/matrix-linux-7.3.4-k3-late/ce/I1-0');
    await page.getByRole('heading', { name: /^Holds in all [0-9,]+ states$/ }).waitFor();
    await checkLooks(t, page, 'no counterexample');
    expectMessages(page, /status of 4(04|22)/);
    await page.goto('/ui/s/no-such-scenario/ce/I1-0');
    await page.getByRole('alert').waitFor();
    t.match(await page.getByRole('alert').textContent(), /no-such-scenario/);
    await page.goto('/ui/e/exp_nothere/ce/I1-0');
    await page.getByText('A search is forgotten after a while').waitFor();
  });
});
