/** Pools in the page: who holds which lease, and what its machines have shown. */
import type { Test } from 'tap';
import { checkLooks } from './checks.js';
import type { Opened } from './work.test.js';

export async function testPools(t: Test, { app, page }: Opened): Promise<void> {
  const put = (url: string, payload: object = {}) => app.inject({ method: 'PUT', url, payload });
  await page.goto('/ui/machines');
  await page.getByRole('link', { name: 'Pools and leases' }).click();
  await page.getByText('There is no pool').waitFor();
  const machine = 'host-17';
  t.ok((await put('/v1/pools/lab-a', { title: 'Rack 3' })).statusCode < 300);
  t.ok((await put(`/v1/pools/lab-a/machines/${machine}`)).statusCode < 300);
  const job = { pool: 'lab-a', run: { scenario: 'matrix-linux-7.2.6-k3-late' } };
  const made = await app.inject({ method: 'POST', url: '/v1/pool-jobs', payload: job });
  t.equal(made.statusCode, 202, made.body);
  const url = '/v1/pools/lab-a/leases';
  const lent = await app.inject({ method: 'POST', url, payload: { machine } });
  const { lease, run } = lent.json();
  await page.reload();
  await page
    .getByRole('row', { name: /^lab-a Rack 3/ })
    .getByRole('link')
    .click();
  const row = page.getByRole('row', { name: machine });
  await row.getByText(lease.id).waitFor();
  await page.getByRole('button', { name: made.json().id }).click();
  await page.getByRole('row', { name: new RegExp(`^${run.id} leased`) }).waitFor();
  await page.waitForURL(/job=/);
  await page.reload();
  await page.getByRole('row', { name: new RegExp(`^${run.id} leased`) }).waitFor();
  await checkLooks(t, page, 'pool');
}
