/** What is kept is bounded by number, too: a flood of events or of answers does not fill the disk. */
import t from 'tap';
import { WorkQueue } from '../../src/jobs/work-queue.js';
import { Housekeeping } from '../../src/service/housekeeping.js';
import type { Database } from '../../src/store/database.js';
import { insertEvents } from '../../src/store/event-store.js';
import { insertAnswer } from '../../src/store/idempotency-store.js';
import { ObservationStore } from '../../src/store/observation-store.js';
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

t.test('of observations the newest are kept, as many and as large as configured', async (t) => {
  const { query } = await connect(t, await emptyDatabase(t));
  const observations = new ObservationStore({ query } as Database);
  const left = async () => {
    while ((await observations.forget(720, 5, 1000, 2)) > 0);
    const rows = await query.selectFrom('observations').select('id').orderBy('seq').execute();
    return rows.map(({ id }) => id);
  };
  const add = (id: string, bytes: number, done = true) =>
    query
      .insertInto('observations')
      .values({
        id,
        state: done ? 'done' : 'reading',
        about: '{}',
        stored_bytes: bytes,
        ...(done ? { finished_at: new Date() } : {}),
      })
      .execute();
  await add('reading', 0, false);
  for (const at of [0, 1, 2, 3, 4, 5, 6]) await add(`small_${at}`, 10);
  t.strictSame(await left(), ['reading', ...[2, 3, 4, 5, 6].map((at) => `small_${at}`)]);
  await add('large', 980);
  t.strictSame(await left(), ['reading', 'small_5', 'small_6', 'large']);
  for (const [id, observation] of [
    ['exn_old', 'small_5'],
    ['exn_kept', 'large'],
  ]) {
    const resource = JSON.stringify({ observation });
    await query
      .insertInto('explanations')
      .values({ id: id as string, state: 'running', request: '{}', resource })
      .execute();
  }
  for (const at of [7, 8, 9]) await add(`small_${at}`, 1);
  t.strictSame(await left(), ['reading', 'small_6', 'large', 'small_7', 'small_8', 'small_9']);
  const explanations = await query.selectFrom('explanations').select('id').execute();
  t.strictSame(explanations, [{ id: 'exn_kept' }], 'an explanation goes with its observation');
});
