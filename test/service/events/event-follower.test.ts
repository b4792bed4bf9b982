/** Streams of events share one reader of the log; those that cannot keep up read for themselves. */
import t, { type Test } from 'tap';
import { insertEvents } from '../../../src/store/event-store.js';
import { connect, emptyDatabase, eventually, meddler, startInstance } from '../../instances.js';
import { Stream } from '../../routes/event-stream.js';

/** An instance with a database of its own, and a session beside it. */
async function lab(t: Test) {
  const url = await emptyDatabase(t);
  const instance = await startInstance(t, url, { role: 'api' });
  await instance.app.listen({ port: 0, host: '127.0.0.1' });
  const sql = await meddler(t, url);
  const database = await connect(t, url);
  const tell = (subject: string, data: object = {}) =>
    insertEvents(database.query, [{ type: 'host.created', subject, data }]);
  const sessions = async (names: string): Promise<number> => {
    const { rows } = await sql.query(
      `select from pg_stat_activity where datname = current_database() and application_name like $1`,
      [names],
    );
    return rows.length;
  };
  return { instance, sql, tell, sessions };
}

t.test('what happens is read once, however many streams are told', async (t) => {
  const { instance, sql, tell, sessions } = await lab(t);
  const streams = await Promise.all(Array.from({ length: 40 }, () => Stream.open(t, instance)));
  const subjects = Array.from({ length: 20 }, (_, at) => `host_${at}`);
  for (const [at, subject] of subjects.entries()) {
    await tell(subject);
    await streams[0]!.until(at + 1);
  }
  for (const stream of streams) {
    await stream.until(subjects.length);
    t.strictSame(stream.subjects(), subjects);
  }
  const others = await sessions('pebslab streams');
  t.ok(others <= 3, `${others} connections`);
  await instance.close();
  // A session tells what it has read when it ends, at the latest.
  t.equal(
    await eventually(
      () => sessions('pebslab streams'),
      (count) => count === 0,
    ),
    0,
  );
  const { rows } = await sql.query(
    `select idx_scan::int as scans from pg_stat_user_indexes where indexrelname = 'events_pkey'`,
  );
  t.ok(rows[0].scans < 300, `${rows[0].scans} scans for 20 events and 40 streams`);
});

t.test('a stream that falls behind misses nothing and hears nothing twice', async (t) => {
  const { instance, tell } = await lab(t);
  const quick = await Stream.open(t, instance);
  const slow = await Stream.open(t, instance);
  slow.response.pause();
  // Each by itself, so that there are more batches than are kept, and more than the sockets hold.
  const subjects = Array.from({ length: 60 }, (_, at) => `host_${at}`);
  for (const [at, subject] of subjects.entries()) {
    await tell(subject, { text: 'x'.repeat(400_000) });
    await quick.until(at + 1);
  }
  t.strictSame(quick.subjects(), subjects);
  t.ok(slow.messages.length < subjects.length, 'it is behind');
  slow.response.resume();
  await slow.until(subjects.length);
  await tell('host_last');
  for (const stream of [quick, slow]) {
    await stream.until(subjects.length + 1);
    t.strictSame(stream.subjects(), [...subjects, 'host_last']);
  }
});

t.test('streams from different places all hear everything after theirs, once', async (t) => {
  const { instance, tell } = await lab(t);
  const first = await Stream.open(t, instance);
  const subjects = Array.from({ length: 450 }, (_, at) => `host_${at}`);
  for (const subject of subjects) await tell(subject);
  await first.until(subjects.length);
  t.strictSame(first.subjects(), subjects);
  const ids = first.messages.map(({ id }) => id);
  const places = [0, 1, 199, 200, 201, 448, 449];
  const streams = await Promise.all(
    places.map((at) => Stream.open(t, instance, `?after=${ids[at]}`)),
  );
  await tell('host_last');
  for (const [n, at] of places.entries()) {
    const wanted = [...subjects.slice(at + 1), 'host_last'];
    await streams[n]!.until(wanted.length);
    t.strictSame(streams[n]!.subjects(), wanted, `after ${at}`);
  }
});

t.test('streams are told together that events were forgotten before they were read', async (t) => {
  const { instance, sql, tell } = await lab(t);
  const streams = await Promise.all(Array.from({ length: 3 }, () => Stream.open(t, instance)));
  await tell('host_1');
  for (const stream of streams) await stream.until(1);
  // As after the database was away for long: what happened meanwhile is older than what is kept.
  await sql.query('begin');
  await sql.query(
    `with missed as (
       insert into events (type, subject, data) values ('host.created', 'host_missed', '{}')
       returning xid, seq
     )
     update event_horizon set xid = missed.xid, seq = missed.seq from missed`,
  );
  await sql.query('delete from events');
  await sql.query('commit');
  for (const stream of streams) await stream.until(2);
  await tell('host_2');
  for (const stream of streams) {
    await stream.until(3);
    t.strictSame(stream.subjects(), ['host_1', undefined, 'host_2']);
    t.equal(stream.messages[1]?.event, 'reset');
  }
});

t.test('streams go on after their connections broke', async (t) => {
  const { instance, sql, tell } = await lab(t);
  const streams = await Promise.all(Array.from({ length: 3 }, () => Stream.open(t, instance)));
  for (const [at, subject] of ['host_1', 'host_2', 'host_3'].entries()) {
    await tell(subject);
    for (const stream of streams) await stream.until(at + 1);
    await sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'pebslab streams'`,
    );
  }
  await tell('host_4');
  for (const stream of streams) {
    await stream.until(4);
    t.strictSame(stream.subjects(), ['host_1', 'host_2', 'host_3', 'host_4']);
  }
});

t.test('when the last stream has gone nobody reads, and the next one begins anew', async (t) => {
  const { instance, tell } = await lab(t);
  const streams = () =>
    new Promise<number>((resolve) => {
      instance.app.server.getConnections((_error, count) => resolve(count));
    });
  const isTold = async (): Promise<boolean> =>
    (await instance.app.inject('/v1/events?limit=1000')).body.includes('host_unheard');
  for (const subject of ['host_1', 'host_2']) {
    const stream = await Stream.open(t, instance);
    await tell(subject);
    await stream.until(1);
    t.strictSame(stream.subjects(), [subject]);
    stream.response.destroy();
    t.equal(await eventually(streams, (count) => count === 0), 0);
    await tell('host_unheard');
    t.ok(await eventually(isTold, (told) => told));
  }
});
