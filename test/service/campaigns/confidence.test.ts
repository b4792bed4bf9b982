/** The Wilson interval against R. G. Newcombe, Statistics in Medicine 17 (1998), 857–872, table I, method 3. */
import t from 'tap';
import { wilson } from '../../../src/service/campaigns/confidence.js';

t.test('it gives the published intervals', async (t) => {
  for (const [hits, trials, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    const interval = wilson(hits, trials);
    t.equal(Number(interval.low.toFixed(4)), low, `${hits} of ${trials}`);
    t.equal(Number(interval.high.toFixed(4)), high, `${hits} of ${trials}`);
  }
});

t.test('it is symmetric, stays within 0 and 1, and narrows', async (t) => {
  for (const [hits, trials] of [
    [0, 1],
    [3, 10],
    [10, 10],
    [999_999, 1_000_000],
  ] as const) {
    const { low, high } = wilson(hits, trials);
    const mirrored = wilson(trials - hits, trials);
    t.ok(low >= 0 && high <= 1 && low <= hits / trials && hits / trials <= high);
    t.ok(
      Math.abs(low - (1 - mirrored.high)) < 1e-12 && Math.abs(high - (1 - mirrored.low)) < 1e-12,
    );
  }
  t.strictSame(wilson(0, 0), { low: 0, high: 1 });
  t.equal(wilson(0, 1000).low, 0);
  t.equal(wilson(1000, 1000).high, 1);
  t.ok(wilson(0, 1_000_000).high < 4e-6);
});
