/** A search that needs more memory than there is ends by itself, and the service goes on. */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import t, { type Test } from 'tap';
import type { Exploration } from '../../schemas/exploration.js';
import { memoryMegabytes, searchMegabytes } from '../../src/config/memory.js';
import { DataFolder } from '../crash/data-folder.js';
import { HttpClient, json } from '../crash/http-client.js';
import { Report } from '../crash/report.js';
import { ServiceProcess } from '../crash/service-process.js';
import { HUGE_SEARCH } from '../worlds.js';

const GROUP_MEGABYTES = 512;

t.test('searches that run at once share what the service does not need itself', async (t) => {
  t.equal(searchMegabytes(2, 2048), (2048 - 384) / 4);
  t.equal(searchMegabytes(1, 2048), (2048 - 384) / 2);
  t.equal(searchMegabytes(64, 2048), 13);
  t.equal(searchMegabytes(64, 512), 8, 'something is left in any case');
  t.equal(searchMegabytes(2, 100), 8);
  t.equal(searchMegabytes(1, 1_000_000), 16_384, 'as much as may be asked for');
  t.ok(memoryMegabytes() > 100 && memoryMegabytes() < 1e8, `${memoryMegabytes()}`);
});

/** A control group with little memory, of version 2 or 1; undefined where this machine lets nobody make one. */
function controlGroup(t: Test): string | undefined {
  const name = `pebslab-test-${process.pid}`;
  const kinds = [
    ['/sys/fs/cgroup', 'memory.max'],
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
  ] as const;
  for (const [root, limit] of kinds) {
    const path = join(root, name);
    try {
      mkdirSync(path);
    } catch {
      continue;
    }
    t.teardown(() => rmdirSync(path));
    try {
      // Only into a file that is there: without one it is no group of memory, but perhaps a plain folder.
      writeFileSync(join(path, limit), String(GROUP_MEGABYTES * 2 ** 20), { flag: 'r+' });
      return path;
    } catch {}
  }
  return undefined;
}

t.test('in a small control group', async (t) => {
  const group = controlGroup(t);
  const folder = await DataFolder.make();
  t.teardown(() => folder.remove());
  t.comment(group ?? 'no control group can be made here: SEARCH_MEGABYTES stands in for it');
  const report = new Report();
  const env = {
    DATA_DIR: folder.path,
    ...(group === undefined ? { SEARCH_MEGABYTES: '8' } : {}),
  };
  const service = await ServiceProcess.start('the service', env, report, group);
  const http = new HttpClient();
  const post = (bounds: object) =>
    http.ask(service.port, {
      method: 'POST',
      path: '/v1/explorations',
      body: { ...HUGE_SEARCH, bounds },
    });
  const refused = await post({ megabytes: 4096 });
  t.equal(refused.status, 422);
  t.match(json(refused), {
    type: '/problems/value_out_of_range',
    errors: [{ pointer: '/bounds/megabytes' }],
  });
  const ids: string[] = [];
  // As many as run at once, and one that comes after them.
  for (let nth = 0; nth < 3; nth += 1) {
    ids.push(json<Exploration>(await post({ seconds: 600 })).id);
  }
  for (const id of ids) {
    let found: Partial<Exploration> = {};
    while (found.finished_at === undefined && service.isRunning) {
      const headers = { prefer: 'wait=60' };
      const path = `/v1/explorations/${id}`;
      const asked = http.ask(service.port, { method: 'GET', path, headers });
      const answer = await asked.catch((error: Error) => t.fail(`no answer: ${error.message}`));
      if (typeof answer === 'object') found = json<Exploration>(answer);
    }
    t.match(found, { state: 'succeeded', verdict: 'undecided', attempts: 1 });
    t.match(found.cut, /^(bytesMax|memory)$/);
  }
  t.ok(service.isRunning, 'it is alive');
  t.equal((await http.ask(service.port, { method: 'GET', path: '/readyz' })).status, 200);
  http.close();
  if (service.isRunning) t.equal((await service.stop()).code, 0);
  t.strictSame(report.faults, []);
});
