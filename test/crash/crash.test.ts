import t from 'tap';
import { createDatabase, dropDatabase } from '../postgres.js';
import { gracefulStop } from './graceful-stop.js';
import { killInstances } from './kill-instances.js';
import { killService } from './kill-service.js';
import { runShort } from './short.js';

const databases = { create: createDatabase, drop: dropDatabase };

t.test('a service that is killed under load loses and doubles nothing', (t) =>
  runShort(t, killService, { rounds: 1, clients: 4 }),
);

t.test('instances that share a database and are killed lose and double nothing', (t) =>
  runShort(t, (options) => killInstances(options, databases), { rounds: 1, clients: 4 }),
);

// With a database that is run for it: nobody clears its queue when it starts, so who does not let go of its jobs is waited for.
t.test('a service that is stopped under load shuts down in order and resumes its work later', (t) =>
  runShort(t, (options) => gracefulStop(options, databases), { rounds: 1, clients: 2 }),
);
