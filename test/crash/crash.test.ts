import t from 'tap';
import { killService } from './kill-service.js';
import { runShort } from './short.js';

t.test('a service that is killed under load loses and doubles nothing', (t) =>
  runShort(t, killService, { rounds: 1, clients: 4 }),
);
