/** Searches as jobs: asked for, waited for and queued; the service stays responsive. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import {
  type Exploration,
  ExplorationPageSchema,
  ExplorationSchema,
} from '../../../schemas/exploration.js';
import { bodyOf } from '../../helper.js';
import { eventually } from '../../instances.js';
import { app, cancel, ended, huge, post, read, SMALL, started, until } from './lab.js';

t.test(
  'a search is answered at once, can be found and read, and tells how far it is',
  async (t) => {
    const response = await post(huge());
    const exploration = bodyOf(t, response, ExplorationSchema, 202);
    t.equal(response.headers.location, `/v1/explorations/${exploration.id}`);
    t.match(exploration.state, /^(queued|running)$/);
    t.notOk(exploration.finished_at);
    const under = await until(t, exploration, ({ progress }) => progress.done > 10_000);
    t.equal(under.state, 'running');
    t.ok((under.progress.depth ?? 0) > 0 && (under.progress.frontier ?? 0) > 0);
    t.ok((under.progress.rate_per_second ?? 0) > 0 && (under.progress.megabytes ?? 0) > 0);
    if (under.progress.seconds_left !== undefined) {
      const [low = 0, likely = 0, high = 0] = under.progress.seconds_left;
      t.ok(low <= likely && likely <= high, 'a time left comes with its band');
    }
    const later = await until(
      t,
      exploration,
      ({ progress }) => progress.done > under.progress.done,
    );
    t.ok((later.progress.depth ?? 0) >= (under.progress.depth ?? 0));
    const list = bodyOf(t, await app.inject('/v1/explorations?limit=1000'), ExplorationPageSchema);
    t.ok(
      list.items.some(({ id }) => id === exploration.id),
      'it is in the list',
    );
    await cancel(t, exploration);
  },
);

t.test('a client that prefers to wait gets the end of a small search', async (t) => {
  const first = await post({ model: SMALL, properties: ['I1'] }, 'wait=60');
  const exploration = bodyOf(t, first, ExplorationSchema, 200);
  t.match(exploration, { state: 'succeeded', verdict: 'violated', complete: true, cut: null });
  t.equal(first.headers.location, `/v1/explorations/${exploration.id}`);
  t.strictSame(await read(t, exploration), exploration, 'it stays as it ended');
  const slow = await post(huge(), 'wait=1');
  const unfinished = bodyOf(t, slow, ExplorationSchema, 202);
  t.notOk(unfinished.finished_at, 'what takes longer is answered as under way');
  const waiting = performance.now();
  t.notOk((await read(t, unfinished, 'wait=1')).finished_at);
  t.ok(performance.now() - waiting > 900, 'reading waits too');
  await cancel(t, unfinished);
});

t.test('two searches run at once, and the others wait their turn', async (t) => {
  const all: Exploration[] = [];
  for (let nth = 0; nth < 5; nth += 1) all.push(await started(t, huge()));
  const states = async () =>
    Promise.all(all.map(async (one) => (await read(t, one)).state)).then((some) => some.join());
  const order = ['running', 'running', 'queued', 'queued', 'queued'].join();
  t.equal(await eventually(states, (now) => now === order), order);
  t.match(await cancel(t, all[3]!), { state: 'cancelled', distinct_states: 0 });
  await cancel(t, all[0]!);
  await until(t, all[2]!, ({ state }) => state === 'running');
  // While the lane of small searches tries it, it runs for a moment.
  await until(t, all[4]!, ({ state }) => state === 'queued');
  await Promise.all(all.map((one) => cancel(t, one)));
  const last = await ended(t, { model: SMALL, properties: ['I1'] });
  t.equal(last.verdict, 'violated', 'the queue moves on');
});

t.test('the event loop stays free while two searches run', async (t) => {
  const running = [await started(t, huge()), await started(t, huge({ workers: 2 }))];
  await Promise.all(running.map((one) => until(t, one, ({ state }) => state === 'running')));
  await Promise.all(running.map((one) => until(t, one, ({ progress }) => progress.done > 0)));
  let slowest = 0;
  for (let nth = 0; nth < 15; nth += 1) {
    const asked = performance.now();
    t.equal((await app.inject('/v1/kernels')).statusCode, 200);
    slowest = Math.max(slowest, performance.now() - asked);
    await sleep(10);
  }
  t.comment(`slowest answer ${slowest.toFixed(0)} ms (aim 100)`);
  // Where a search held the loop, none of these would be answered before its end.
  for (const one of running) t.equal((await read(t, one)).state, 'running');
  for (const one of running) await cancel(t, one);
});
