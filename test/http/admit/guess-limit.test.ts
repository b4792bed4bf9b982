/** How guessing is counted, with a clock of our own. */
import t from 'tap';
import { GuessLimit, networkOf } from '../../../src/http/admit/guess-limit.js';

t.test('sixty different wrong tokens a minute', async (t) => {
  let now = 1_000_000;
  const limit = new GuessLimit(() => now);
  for (let i = 0; i < 59; i += 1) limit.addWrong('192.0.2.1', `guess ${i}`);
  for (let i = 0; i < 59; i += 1) limit.addWrong('192.0.2.1', 'guess 0');
  t.equal(limit.secondsToWait('192.0.2.1'), 0);
  now += 20_000;
  limit.addWrong('192.0.2.1', 'guess 59');
  t.equal(limit.secondsToWait('192.0.2.1'), 40, 'the window began with the first');
  t.equal(limit.secondsToWait('192.0.2.2'), 0);
  now += 39_999;
  t.equal(limit.secondsToWait('192.0.2.1'), 1);
  now += 1;
  t.equal(limit.secondsToWait('192.0.2.1'), 0, 'then it may go on');
});

t.test('memory is bounded: the oldest address makes room', async (t) => {
  const limit = new GuessLimit(() => 0);
  const fill = (address: string) => {
    for (let i = 0; i < 60; i += 1) limit.addWrong(address, `${i}`);
  };
  fill('192.0.2.1');
  fill('192.0.2.2');
  const addressOf = (i: number) => `10.0.${i >> 8}.${i & 255}`;
  for (let i = 0; i < 9_999; i += 1) limit.addWrong(addressOf(i), 'x');
  t.equal(limit.secondsToWait('192.0.2.1'), 0);
  t.equal(limit.secondsToWait('192.0.2.2'), 60);
});

t.test('an IPv6 client is its /64, an IPv4 client itself', async (t) => {
  t.equal(networkOf('192.0.2.1'), '192.0.2.1');
  t.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1', 'also where IPv6 carries it');
  t.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  t.equal(networkOf('2001:DB8:1:2::9'), '2001:db8:1:2::/64');
  t.equal(networkOf('2001:db8::9'), '2001:db8:0:0::/64');
  t.equal(networkOf('2001:0db8:0000:0000:1::9'), '2001:db8:0:0::/64');
  t.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.equal(networkOf('::1'), '0:0:0:0::/64');
  t.equal(networkOf('::'), '0:0:0:0::/64');
  t.equal(networkOf('1::'), '1:0:0:0::/64');
});
