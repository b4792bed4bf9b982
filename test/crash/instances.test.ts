import t from 'tap';
import { createDatabase, dropDatabase } from '../postgres.js';
import { killInstances } from './kill-instances.js';
import { runShort } from './short.js';

t.test('instances that share a database and are killed lose and double nothing', (t) =>
  runShort(t, (options) => killInstances(options, { create: createDatabase, drop: dropDatabase }), {
    rounds: 1,
    clients: 4,
  }),
);
