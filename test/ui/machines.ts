/** Real machines in the page: a file is dropped, judged with its lines, explained, and the schedule run on a host. */
import type { Test } from 'tap';
import { expectMessages } from './browser.js';
import { checkLooks } from './checks.js';
import type { Opened } from './work.test.js';

const CAPTURES = 'test/captures';

const line = (text: string): string => `       CPU 0/KVM-4200    [000] d..1.   100.000001: ${text}`;
/** A round trip that begins with KVM clearing the register, which linux-7.2.6 does where PEBS is off. */
const TRACE = [
  '# tracer: nop',
  '#',
  line('kvm_entry: vcpu 0, rip 0x0'),
  line('write_msr: 3f1, value 0'),
  line(
    'kvm_exit: vcpu 0 reason EXTERNAL_INTERRUPT rip 0x0 info1 0x0000000000000000 info2 0x0000000000000000 intr_info 0x800000ec error_code 0x00000000',
  ),
  '',
].join('\n');

export async function testMachines(t: Test, { app, origin, page }: Opened): Promise<void> {
  const findings = page.getByRole('region', { name: 'Findings' });
  const drop = page.getByRole('region', { name: 'A file of a machine' });
  const file = page.getByLabel('File', { exact: true });
  const kept = async () => (await app.inject('/v1/observations')).json().items;

  t.test('a dropped file is judged, and its lines are the evidence', async (t) => {
    await page.goto('/ui/machines');
    await page.getByText('Nothing is kept here yet').waitFor();
    await checkLooks(t, page, 'machines, none');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByLabel('Keep it, so that it can be explained').uncheck();
    const transfer = await page.evaluateHandle('new DataTransfer()');
    await transfer.evaluate((dropped, content) => {
      (dropped as { items: { add(file: unknown): void } }).items.add(
        new File([content], 'trace.txt'),
      );
    }, TRACE);
    await drop.dispatchEvent('drop', { dataTransfer: transfer });
    await page.getByText(/^ftrace, /).waitFor();
    t.strictSame(await kept(), [], 'it was only looked at');
    await file.setInputFiles(`${CAPTURES}/rdmsr-loop-cpu-equals.txt`);
    const evidence = findings.getByRole('list', { name: 'Evidence' });
    await evidence.getByText('cpu=3 3f1=0000000000000001').first().waitFor();
    await page.getByRole('heading', { name: 'stuck' }).waitFor();
    t.match(await findings.textContent(), /R1.*stuck.*PMC0/);
    await page.getByText('Not said: cpu vendor').waitFor();
    t.strictSame(await kept(), []);
  });

  t.test('what cannot be read is said, line by line', async (t) => {
    await file.setInputFiles(`${CAPTURES}/rdmsr-errors.txt`);
    await page.getByText(/^Lines that could not be read: \d/).waitFor();
    await checkLooks(t, page, 'machines, looked at');
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  t.test('a kept recording has an address, and its text with it', async (t) => {
    await page.getByLabel('Machine, if it has a name').fill('host-17');
    await page.getByLabel('Keep it, so that it can be explained').check();
    await file.setInputFiles(`${CAPTURES}/ftrace-trace-header.txt`);
    await page.getByRole('heading', { name: 'host-17', level: 1 }).waitFor();
    const [{ id, verdict }] = await kept();
    t.equal(verdict, 'stuck');
    t.equal(page.url(), `${origin}/ui/machines/${id}`);
    await page.reload();
    await page.getByRole('heading', { name: 'stuck' }).waitFor();
    await findings.locator('.line').first().waitFor();
    await page.getByRole('link', { name: 'Machines' }).click();
    await page.getByRole('row', { name: /^host-17 stuck ftrace/ }).waitFor();
  });

  t.test('a recording is explained, and its schedule runs on a host', async (t) => {
    await file.setInputFiles({
      name: 'trace.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from(TRACE),
    });
    await page.getByRole('heading', { name: 'Is this how a kernel behaves?' }).waitFor();
    await page.getByLabel('CPU model').selectOption('emerald-rapids');
    await page.getByRole('button', { name: 'Explain it' }).click();
    const found = page.getByRole('article', { name: 'linux-7.2.6' });
    await found.getByRole('heading', { name: / explained$/ }).waitFor();
    const [{ kernels }] = (await app.inject('/v1/explanations')).json().items;
    t.match(
      await found.textContent(),
      `${kernels[0].reached} of 3 records in ${kernels[0].steps} steps`,
    );
    await checkLooks(t, page, 'machine');
    await page.setViewportSize({ width: 1280, height: 800 });
    await found.getByRole('button', { name: /^Run the schedule on a host/ }).click();
    await page.getByRole('heading', { name: /^The last \d+ micro-steps$/ }).waitFor();
    t.match(page.url(), /\/ui\/h\/host_/);
    await page.goBack();
    await page.getByRole('button', { name: 'Delete it' }).click();
    await page.getByRole('row', { name: /^host-17/ }).waitFor();
    t.equal((await kept()).length, 1);
  });

  t.test('what is wrong with a file, or gone, is said', async () => {
    expectMessages(page, /status of 4/);
    await page.goto('/ui/machines/obs_nothere');
    await page.getByRole('alert').waitFor();
    await page.getByRole('link', { name: 'All machines' }).click();
    await page.getByLabel('Machine, if it has a name').fill('no name of a machine!');
    await file.setInputFiles(`${CAPTURES}/rdmsr-decimal.txt`);
    await page.getByRole('alert').waitFor();
  });
}
