/** What is kept is bounded by number, too: a flood of events or of answers does not fill the disk. */
import t from 'tap';
import { WorkQueue } from '../../src/jobs/work-queue.js';
import { Housekeeping } from '../../src/service/housekeeping.js';
import { insertEvents } from '../../src/store/event-store.js';
import { insertAnswer } from '../../src/store/idempotency-store.js';
import { connect, emptyDatabase, eventually } from '../instances.js';

t.test('the newest events and answers are kept, as many as configured', async (t) => {
  const url = await emptyDatabase(t);
  const { query, ...database } = await connect(t, url);
  const queue = await WorkQueue.open({
    databaseUrl: url,
    queueUrl: undefined,
    lockSeconds: 30,
    onError: (error) => t.fail(error.message),
  });
  t.after(() => queue.close());
  for (let at = 0; at < 60; at += 1) {
    await insertEvents(query, [{ type: 'host.created', subject: `host_${at}`, data: {} }]);
    await insertAnswer(query, { principal: '', key: `k${at}`, fingerprint: 'print', answer: '1' });
  }
  const house = new Housekeeping({ query, ...database }, queue, {
    retentionHours: 720,
    eventsKept: 20,
    answersKept: 30,
    observationsKept: 10,
    observationMegabytes: 1,
  });
  const kept = async () => {
    await house.keep();
    const { rows } = await database.pool.query(
      `select (select string_agg(subject, ' ' order by seq) from events) as events,
              (select string_agg(key, ' ' order by seq) from idempotency_keys) as answers`,
    );
    return rows[0] as { events: string; answers: string };
  };
  // Events stay while older transactions are under way on the server.
  const { events, answers } = await eventually(kept, (rows) => rows.events.split(' ').length <= 20);
  const names = (prefix: string, from: number) =>
    Array.from({ length: 60 - from }, (_, at) => `${prefix}${from + at}`).join(' ');
  t.equal(events, names('host_', 40));
  t.equal(answers, names('k', 30));
});
