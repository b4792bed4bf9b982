import t from 'tap';
import { createDatabase, dropDatabase } from '../postgres.js';
import { gracefulStop } from './graceful-stop.js';
import { runShort } from './short.js';

t.test('a service that is told to stop under load ends in order and goes on later', (t) =>
  runShort(t, gracefulStop, { rounds: 1, clients: 4 }),
);

t.test(
  'with a database that is run for it, it lets go of its jobs, so that nobody waits for their locks',
  (t) =>
    runShort(
      t,
      (options) => gracefulStop(options, { create: createDatabase, drop: dropDatabase }),
      { rounds: 1, clients: 2 },
    ),
);
