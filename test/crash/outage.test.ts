import t from 'tap';
import { outage } from './outage.js';
import { runShort } from './short.js';

t.test('a database that goes away and comes back loses nothing, and nobody has to help', (t) =>
  runShort(t, (options) => outage(options, 1500), { rounds: 1, clients: 4 }),
);
