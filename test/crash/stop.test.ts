import t from 'tap';
import { createDatabase, dropDatabase } from '../postgres.js';
import { gracefulStop } from './graceful-stop.js';
import { runShort } from './short.js';

// With a database that is run for it: nobody clears its queue when it starts, so who does not let go of its jobs is waited for.
t.test('a service that is told to stop under load ends in order and goes on later', (t) =>
  runShort(t, (options) => gracefulStop(options, { create: createDatabase, drop: dropDatabase }), {
    rounds: 1,
    clients: 2,
  }),
);
