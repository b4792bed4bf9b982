/** What every screen must pass in every look. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import type { Test } from 'tap';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Long lists have one kind of row; to look at each would take most of the time of these tests. */
const FURTHER_ROWS = 'tbody > tr:nth-child(n+9), ul.worlds > li:nth-child(n+9)';

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 360, height: 740 };

/** Each screen is looked at in each width and each scheme; from one to the next it is the other pair, so that all four are seen. */
const LOOKS = [
  [
    { ...WIDE, colorScheme: 'light' },
    { ...NARROW, colorScheme: 'dark' },
  ],
  [
    { ...WIDE, colorScheme: 'dark' },
    { ...NARROW, colorScheme: 'light' },
  ],
] as const;
let looked = 0;

/** Why a screen is not accessible to all, by axe. */
export async function accessFaults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const run = `axe.run({ exclude: ['${FURTHER_ROWS}'] }, { runOnly: ${JSON.stringify(TAGS)}, resultTypes: ['violations'] })`;
  const { violations } = (await page.evaluate(run)) as {
    violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  );
}

/** Looks at what is on screen in both schemes and both widths. */
export async function checkLooks(t: Test, page: Page, name: string): Promise<void> {
  looked += 1;
  for (const { width, height, colorScheme } of LOOKS[looked % 2] ?? []) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    // All of it at once, so that nothing is judged while a bar that stays on screen covers it.
    await unroll(page, width, height);
    const look = `${name}, ${width} px, ${colorScheme}`;
    t.strictSame(await accessFaults(page), [], `${look}: accessible`);
    const overhang = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    t.ok(Number(overhang) <= 0, `${look}: no horizontal scroll (${overhang} px)`);
    const folder = process.env.SCREENSHOTS;
    if (folder !== undefined) {
      const file = `${name}-${width}-${colorScheme}.png`.replaceAll(/[^\w.-]+/g, '-');
      await page.screenshot({ path: `${folder}/${file}`, fullPage: true });
    }
  }
}

/** Some parts grow with the window, so that it takes a few tries. */
async function unroll(page: Page, width: number, height: number): Promise<void> {
  let shown = height;
  for (let tried = 0; tried < 4; tried += 1) {
    const whole = Number(await page.evaluate('document.documentElement.scrollHeight'));
    if (whole <= shown) return;
    shown = whole;
    await page.setViewportSize({ width, height: shown });
  }
}
