/** Work that kills whoever takes it up is given up after three deaths; a service that stops in order has not died. */
import t from 'tap';
import type { Exploration } from '../../schemas/exploration.js';
import { HttpClient, json } from '../crash/http-client.js';
import { Report } from '../crash/report.js';
import { ServiceProcess } from '../crash/service-process.js';
import { emptyDatabase, eventually, meddler, startInstance } from '../instances.js';
import { request } from '../service/campaigns/lab.js';
import { HUGE_SEARCH } from '../worlds.js';

const HUGE = { ...HUGE_SEARCH, bounds: { seconds: 3600 } };

t.test('a search that the service was killed with three times has failed', async (t) => {
  const url = await emptyDatabase(t);
  const sql = await meddler(t, url);
  const report = new Report();
  const service = await ServiceProcess.start('the service', { DATABASE_URL: url }, report);
  const http = new HttpClient();
  t.teardown(() => http.close());
  const made = await http.ask(service.port, {
    method: 'POST',
    path: '/v1/explorations',
    body: HUGE,
  });
  const path = `/v1/explorations/${json<Exploration>(made).id}`;
  const read = async () => json<Exploration>(await http.ask(service.port, { method: 'GET', path }));
  const underWay = await eventually(
    read,
    ({ state, progress }) => state === 'running' && progress.depth !== undefined,
    60_000,
  );
  t.match(underWay, { state: 'running', attempts: 1 });
  // As if two had been killed already.
  await sql.query(`update explorations set lives = array['one', 'two'] || lives`);
  await service.kill();
  await service.start();
  const found = await eventually(read, ({ state }) => state === 'failed');
  t.match(found, { state: 'failed', finished_at: String });
  t.match(found.error, /3 times the service ended while it searched this/);
  t.equal((await service.stop()).code, 0);
  t.strictSame(report.faults, []);
});

t.test('campaigns, by the chunk and at their end', async (t) => {
  const url = await emptyDatabase(t);
  const { app } = await startInstance(t, url, { role: 'api' });
  const sql = await meddler(t, url);
  const post = async () =>
    (
      await app.inject({
        method: 'POST',
        url: '/v1/campaigns',
        payload: request({}, { walks: 20 }),
      })
    ).json().id as string;
  const [chunk, end, whole] = [await post(), await post(), await post()];
  const lives = (count: number) => `array(select 'life ' || n from generate_series(1, ${count}) n)`;
  await sql.query(`update campaign_chunks set lives = ${lives(3)} where campaign_id = $1`, [chunk]);
  await sql.query(`update campaigns set lives = ${lives(3)} where id = $1`, [end]);
  await sql.query(`update campaigns set lives = ${lives(2)} where id = $1`, [whole]);
  const worker = await startInstance(t, url, { role: 'worker' });
  const read = async (id: string) => {
    const headers = { prefer: 'wait=60' };
    return (await app.inject({ url: `/v1/campaigns/${id}`, headers })).json();
  };
  t.match(await read(chunk), {
    state: 'failed',
    error: /3 times the service ended while it walked chunk 0/,
  });
  t.match(await read(end), { state: 'failed', error: /3 times the service ended while it shrank/ });
  t.match(await read(whole), { state: 'succeeded', progress: { done: 20 } });
  const { body } = await worker.app.inject('/metrics');
  t.match(body, /^pebslab_jobs_taken_over_total\{queue="work"\} 3$/m, 'a chunk and two ends');
  t.match(body, /^pebslab_campaigns_ended_total\{state="failed",verdict="none"\} 2$/m);
});

t.test('what is given back in order leaves no life behind', async (t) => {
  const url = await emptyDatabase(t);
  const { app } = await startInstance(t, url, { role: 'api' });
  const sql = await meddler(t, url);
  const post = (path: string, payload: object) =>
    app.inject({ method: 'POST', url: `/v1/${path}`, payload });
  const under = async () => {
    const { rows } = await sql.query(
      `select (select count(*)::int from explorations where lane = 'work' and lives <> '{}') as searches,
              (select count(*)::int from campaign_chunks where result is null and lives <> '{}') as chunks`,
    );
    return rows[0] as { searches: number; chunks: number };
  };
  const worker = await startInstance(t, url, { role: 'worker' });
  await post('explorations', HUGE);
  await eventually(under, ({ searches }) => searches === 1);
  await post('campaigns', request({}, { walks: 100_000, steps_per_walk: 1000 }));
  const busy = await eventually(under, ({ chunks }) => chunks === 1);
  t.strictSame(busy, { searches: 1, chunks: 1 });
  await worker.close();
  t.strictSame(await under(), { searches: 0, chunks: 0 });
});
