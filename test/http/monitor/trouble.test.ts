/** What metrics say when something is wrong, and that they are there when the database is not. */
import { once } from 'node:events';
import t from 'tap';
import { emptyDatabase, eventually, meddler, startInstance } from '../../instances.js';
import { Stream } from '../../routes/event-stream.js';
import { request } from '../../service/campaigns/lab.js';
import { HUGE_SEARCH } from '../../worlds.js';

const url = await emptyDatabase(t);
const instance = await startInstance(t, url);
const { app } = instance;
const scrape = async () => {
  const response = await app.inject('/metrics');
  t.equal(response.statusCode, 200);
  return response.body;
};
const ask = (path: string, payload: object = {}) =>
  app.inject({ method: 'POST', url: `/v1/${path}`, payload });

t.test('a search that runs, and one that is cancelled', async (t) => {
  const { id } = (await ask('explorations', HUGE_SEARCH)).json();
  const running = /^pebslab_explorations\{state="running"\} 1$/m;
  const fast = /^pebslab_search_states_per_second [1-9]/m;
  const body = await eventually(scrape, (body) => running.test(body) && fast.test(body));
  t.match(body, running);
  t.match(body, fast);
  t.match(body, /^pebslab_jobs_running\{queue="work"\} 1$/m);
  const stats = (await app.inject('/v1/stats')).json();
  t.match(stats, { explorations_running: 1, jobs_running: 1 });
  t.ok(stats.states > 0 && stats.states_per_second > 0);
  await ask(`explorations/${id}/cancel`);
  const ended = /^pebslab_explorations_ended_total\{state="cancelled",verdict="\w+"\} 1$/m;
  const after = await eventually(scrape, (body) => ended.test(body));
  t.match(after, ended);
  t.match(after, /^pebslab_explorations\{state="running"\} 0$/m);
});

t.test('streams are counted while they are open, and do not count as slow answers', async (t) => {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const stream = await Stream.open(t, instance);
  t.match(await scrape(), /^pebslab_sse_listeners 1$/m);
  const closed = once(stream.response, 'close');
  stream.response.destroy();
  await closed;
  const none = /^pebslab_sse_listeners 0$/m;
  const body = await eventually(scrape, (body) => none.test(body));
  t.match(body, none);
  const slow = /_bucket\{le="5",route="read"\} (\d+)/.exec(body)?.[1];
  const all = /_bucket\{le="\+Inf",route="read"\} (\d+)/.exec(body)?.[1];
  t.equal(slow, all);
});

t.test('answers 429', async (t) => {
  const sql = await meddler(t, url);
  await sql.query(`insert into campaigns (id, state, request, resource)
    select 'camp_many' || n, 'queued', '{}', '{}' from generate_series(1, 32) n`);
  await sql.query(`insert into explanations (id, state, request, resource)
    select 'exn_many' || n, case n when 1 then 'running' else 'queued' end, '{}', '{}' from generate_series(1, 3) n`);
  const refused = await ask('campaigns', request());
  t.equal(refused.statusCode, 429, refused.body);
  const body = await scrape();
  t.match(body, /^pebslab_too_many_requests_total 1$/m);
  t.match(body, /^pebslab_campaigns\{state="queued"\} 32$/m);
  t.match(body, /^pebslab_explanations\{state="queued"\} 2$/m);
  t.match(body, /^pebslab_explanations\{state="running"\} 1$/m);
  await sql.query(`delete from campaigns where id like 'camp_many%'`);
  await sql.query(`delete from explanations where id like 'exn_many%'`);
});

t.test('without the database the rest is still exported, soon', async (t) => {
  const name = new URL(url).pathname.slice(1);
  const sql = await meddler(t, url.replace(`/${name}`, '/postgres'));
  await sql.query(`alter database ${name} allow_connections false`);
  await sql.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
  );
  const start = performance.now();
  const body = await scrape();
  t.ok(performance.now() - start < 5000);
  t.match(body, /^process_resident_memory_bytes \d/m);
  t.notMatch(body, /^pebslab_hosts/m, 'what is not known is not said');
  await sql.query(`alter database ${name} allow_connections true`);
  const back = /^pebslab_hosts 0$/m;
  t.match(await eventually(scrape, (body) => back.test(body)), back);
});
