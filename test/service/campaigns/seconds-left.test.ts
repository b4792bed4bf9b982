/** How long a campaign still takes. */
import t from 'tap';
import { secondsLeft } from '../../../src/service/campaigns/campaigns.js';

t.test('nothing before a twentieth is done or while nothing moves, then a band', async (t) => {
  t.strictSame(secondsLeft(49, 1000, 10), {});
  t.strictSame(secondsLeft(500, 1000, 0), {});
  t.strictSame(secondsLeft(50, 1000, 10), { seconds_left: [47.5, 95, 190] });
  t.strictSame(secondsLeft(1000, 1000, 10), { seconds_left: [0, 0, 0] });
});
