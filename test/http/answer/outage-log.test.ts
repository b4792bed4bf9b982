/** What the log says while the database is away: the reason once a second, not a stack for every request. */
import { Writable } from 'node:stream';
import { pino } from 'pino';
import t from 'tap';
import { buildApp } from '../../../src/app.js';
import { openDatabase } from '../../../src/store/database.js';
import { problemOf } from '../../helper.js';
import { emptyDatabase } from '../../instances.js';

t.test('requests that fail because the database is away share a line a second', async (t) => {
  const lines: { msg: string; reason?: string; requests?: number; err?: object }[] = [];
  const log = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const database = await openDatabase(await emptyDatabase(t));
  const app = await buildApp({
    storage: { database, isPrivate: true },
    loggerInstance: pino({ level: 'warn' }, log),
  });
  t.after(() => app.close());
  await app.ready();
  // As away as it can be.
  await database.close();
  lines.length = 0;
  const since = performance.now();
  const answers = await Promise.all(Array.from({ length: 100 }, () => app.inject('/v1/hosts')));
  const seconds = (performance.now() - since) / 1000;
  for (const answer of answers) problemOf(t, answer, 'unavailable');
  t.match(lines[0], {
    msg: 'requests fail: the database is unavailable',
    reason: /database/,
    requests: 1,
  });
  t.ok(lines.length <= 1 + seconds, `${lines.length} lines`);
  t.notOk(lines.some(({ err }) => err !== undefined));
});

t.test('what is our own fault is logged with its stack, each time', async (t) => {
  const lines: { err?: { stack?: string } }[] = [];
  const log = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const app = await buildApp({ loggerInstance: pino({ level: 'error' }, log) });
  t.after(() => app.close());
  app.get('/broken', async () => {
    throw new TypeError('broken');
  });
  for (let at = 0; at < 3; at += 1) problemOf(t, await app.inject('/broken'), 'internal');
  t.equal(lines.length, 3);
  t.match(lines[0]?.err?.stack, /outage-log\.test/);
});
