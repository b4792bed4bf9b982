/** Two instances on one database: what they share is exported once, whoever is scraped, and as long as one lives. */
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { emptyDatabase, eventually, startInstance } from '../../instances.js';
import { HUGE_SEARCH } from '../../worlds.js';

const url = await emptyDatabase(t);
const one = await startInstance(t, url, { role: 'api' });
const other = await startInstance(t, url, { role: 'api' });

/** What `sum(name)` says of both, as Prometheus adds what it scrapes. */
async function sum(name: string, ...apps: FastifyInstance[]): Promise<number> {
  const bodies = await Promise.all(apps.map(async (app) => (await app.inject('/metrics')).body));
  const lines = bodies.flatMap((body) => body.split('\n'));
  return lines
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
}

for (const { app } of [one, other]) {
  const payload = { cpu_model: 'emerald-rapids', kernel: 'linux-7.3.4' };
  await app.inject({ method: 'POST', url: '/v1/hosts', payload });
  await app.inject({ method: 'POST', url: '/v1/explorations', payload: HUGE_SEARCH });
}

t.test('sums over instances count what they share once', async (t) => {
  for (let round = 0; round < 3; round += 1) {
    t.equal(await sum('pebslab_hosts', one.app, other.app), 2);
    t.equal(await sum('pebslab_explorations', one.app, other.app), 2);
    t.equal(await sum('pebslab_queue_depth', other.app, one.app), 2);
  }
  t.equal(await sum('pebslab_commit_duration_seconds_count', one.app, other.app), 2, 'its own');
});

t.test('when the one that exports is gone, the other does', async (t) => {
  const holder = (await sum('pebslab_hosts', one.app)) === 2 ? one : other;
  const heir = holder === one ? other : one;
  t.equal(await sum('pebslab_hosts', heir.app), 0, 'one of them');
  await holder.close();
  t.equal(
    await eventually(
      () => sum('pebslab_hosts', heir.app),
      (hosts) => hosts === 2,
    ),
    2,
  );
});
