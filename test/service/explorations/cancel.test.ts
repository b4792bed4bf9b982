/** Searches that are cancelled end at once, whatever they are at. */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { problemOf } from '../../helper.js';
import { eventually } from '../../instances.js';
import { app, cancel, ended, HUGE, huge, SMALL, started, until, WIDE_EVENTS } from './lab.js';

t.test('a cancelled search stops at once, is undecided, and frees its memory', async (t) => {
  const before = process.memoryUsage().rss;
  const exploration = await started(t, huge({ bounds: { seconds: 600 } }));
  await until(t, exploration, ({ progress }) => progress.done > 600_000);
  const [asked, grown] = [performance.now(), process.memoryUsage().rss];
  const cancelled = await cancel(t, exploration);
  const took = performance.now() - asked;
  t.comment(`cancelled within ${took.toFixed(0)} ms (aim 200)`);
  t.match(cancelled, { state: 'cancelled', verdict: 'undecided', cut: 'cancelled' });
  t.ok(cancelled.finished_at);
  t.strictSame(await cancel(t, exploration), cancelled, 'cancelling again changes nothing');
  const limit = before + (grown - before) / 2 + 30 * 2 ** 20;
  const rss = async () => process.memoryUsage().rss;
  const after = await eventually(rss, (bytes) => bytes < limit);
  const megabytes = [before, grown, after].map((bytes) => Math.round(bytes / 2 ** 20));
  t.comment(`resident before, grown and after: ${megabytes.join(', ')} MB`);
  t.ok(after < limit, 'most of it is given back');
  const again = await ended(t, { model: SMALL, properties: ['I1'] });
  t.equal(again.verdict, 'violated', 'the service goes on');
});

t.test('a search cancelled in its first moments stops as fast', async (t) => {
  for (const delay of [0, 5, 60, 150]) {
    const exploration = await started(t, huge());
    await sleep(delay);
    const asked = performance.now();
    const cancelled = await cancel(t, exploration);
    const took = performance.now() - asked;
    t.comment(`cancelled ${delay} ms after its start within ${took.toFixed(0)} ms (aim 200)`);
    t.equal(cancelled.state, 'cancelled');
  }
});

t.test('searches of a wide world, which go slowly, are cancelled as fast', async (t) => {
  const wide = { ...HUGE, vcpus: [{}, {}, {}, {}], events: WIDE_EVENTS };
  for (const delay of [5, 60, 400]) {
    const two = [
      await started(t, { model: wide, properties: ['I1'] }),
      await started(t, { model: wide, properties: ['I1'] }),
    ];
    await sleep(delay);
    const asked = performance.now();
    const cancelled = await Promise.all(two.map((one) => cancel(t, one)));
    const took = performance.now() - asked;
    t.comment(`two cancelled ${delay} ms after their start within ${took.toFixed(0)} ms (aim 200)`);
    t.strictSame(
      cancelled.map(({ state }) => state),
      ['cancelled', 'cancelled'],
    );
  }
});

t.test('what has ended stays as it is when it is cancelled', async (t) => {
  const exploration = await ended(t, { model: SMALL, properties: ['I1'] });
  t.strictSame(await cancel(t, exploration), exploration);
  const url = '/v1/explorations/exp_0/cancel';
  problemOf(t, await app.inject({ method: 'POST', url }), 'not_found');
});
