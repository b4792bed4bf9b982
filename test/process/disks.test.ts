/** The process on disks that cannot be written, are full, or become so. */
import { execFileSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mount, refuses, start } from './process.js';

t.test('a folder that cannot be written', async (t) => {
  const path = await mount(t, 'ro,size=1m');
  if (path === undefined) {
    t.comment('skipped: mounting is not permitted here');
    return;
  }
  await refuses(t, { DATA_DIR: join(path, 'data') }, /data directory .* read-only file system/);
});

t.test('a folder without room', async (t) => {
  const path = await mount(t, 'size=8m,mode=755');
  if (path === undefined) {
    t.comment('skipped: mounting is not permitted here');
    return;
  }
  const DATA_DIR = join(path, 'data');
  await mkdir(DATA_DIR, { recursive: true });
  await refuses(t, { DATA_DIR }, /space|full|ENOSPC|room/i);
});

t.test(
  'a disk that becomes full: nothing is half done, and it goes on when there is room',
  async (t) => {
    const path = await mount(t, 'size=220m,mode=755');
    if (path === undefined) {
      t.comment('skipped: mounting is not permitted here');
      return;
    }
    const noisy = start(t, { DATA_DIR: join(path, 'data') });
    const address = await noisy.listening;
    if (address === undefined) {
      const { err } = await noisy.ended;
      return t.fail(`it does not start: ${err}`);
    }
    const post = async (to: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${address}${to}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as Record<string, unknown>,
      };
    };
    const made = await post('/v1/hosts', { cpu_model: 'emerald-rapids', kernel: 'upstream-base' });
    t.equal(made.status, 201);
    const host = `/v1/hosts/${made.body.id}`;
    const vcpu = `${host}/vcpus/${(await post(`${host}/vcpus`, {})).body.id}`;
    const microSteps = async () =>
      ((await (await fetch(`${address}${host}`)).json()) as { micro_steps: number }).micro_steps;
    const before = await microSteps();
    const ballast = join(path, 'ballast');
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { stdio: 'ignore' });
    } catch {
      // The disk is full now.
    }
    let steps = 0;
    let refused: Awaited<ReturnType<typeof post>> | undefined;
    for (let at = 0; at < 400 && refused === undefined; at += 1) {
      const answer = await post(`${vcpu}/transitions`, { kind: 'micro_step', count: 40 });
      if (answer.status === 200) steps += 40;
      else refused = answer;
    }
    t.comment(`${steps} steps until the disk was full: ${refused?.body.detail}`);
    if (refused !== undefined) {
      t.equal(refused.status, 503);
      t.match(refused.body, {
        type: '/problems/unavailable',
        detail: /The database is unavailable: \S+/,
      });
      t.ok(refused.headers.get('retry-after'));
    }
    await rm(ballast);
    const deadline = performance.now() + 120_000;
    let status = 0;
    while (status !== 200 && performance.now() < deadline) {
      ({ status } = await post(`${vcpu}/transitions`, { kind: 'micro_step', count: 40 }));
      if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    t.equal(status, 200, 'it goes on');
    t.equal((await microSteps()) - before, steps + 40, 'what was refused did not happen');
    noisy.kill();
    t.equal((await noisy.ended).code, 0);
  },
);
