/** Live events in PostgreSQL: in an order that no reader can miss anything by, whoever wrote them when. */
import t from 'tap';
import {
  type EventPlace,
  type EventRow,
  EventStore,
  insertEvents,
} from '../../src/store/event-store.js';
import { connect, emptyDatabase, eventually, meddler } from '../instances.js';

const url = await emptyDatabase(t);
const database = await connect(t, url);
const events = new EventStore(database.query);
const START = { xid: '0', seq: 0 };

const tell = (subject: string) =>
  insertEvents(database.query, [{ type: 'host.created', subject, data: { subject } }]);

async function read(place: EventPlace): Promise<EventRow[]> {
  const rows = await events.after(place, 1000);
  if (rows === 'expired') throw new Error('the place has expired');
  return rows;
}

const subjects = (rows: readonly EventRow[]) => rows.map(({ subject }) => subject);

/** Reads until so many are there: transactions of other databases on the server hold readers up. */
const readAll = (place: EventPlace, count: number) =>
  eventually(
    () => read(place),
    (rows) => rows.length >= count,
  );

t.test('events written together keep their order', async (t) => {
  const start = await events.latest();
  await insertEvents(
    database.query,
    ['a', 'b', 'c'].map((subject) => ({ type: 'host.created', subject, data: {} })),
  );
  const rows = await readAll(start, 3);
  t.strictSame(subjects(rows), ['a', 'b', 'c']);
  t.strictSame(subjects(await read(rows[0]!)), ['b', 'c']);
  t.strictSame(await events.latest(), { xid: rows[2]!.xid, seq: rows[2]!.seq });
});

t.test('an event of a transaction that commits late is not skipped', async (t) => {
  let place = await events.latest();
  const slow = await meddler(t, url);
  await slow.query('begin');
  await slow.query(
    `insert into events (type, subject, data) values ('host.created', 'early', '{}')`,
  );
  await tell('late');
  const seen: string[] = [];
  const look = async () => {
    for (const row of await read(place)) {
      seen.push(row.subject);
      place = row;
    }
    return seen;
  };
  await look();
  t.strictSame(seen, [], 'what began later waits for what began earlier');
  await slow.query('commit');
  await eventually(look, ({ length }) => length >= 2);
  t.strictSame(seen, ['early', 'late']);
});

t.test('an event of a transaction that is rolled back holds nobody up', async (t) => {
  const place = await events.latest();
  const slow = await meddler(t, url);
  await slow.query('begin');
  await slow.query(
    `insert into events (type, subject, data) values ('host.created', 'undone', '{}')`,
  );
  await tell('done');
  await slow.query('rollback');
  t.strictSame(subjects(await readAll(place, 1)), ['done']);
});

t.test('a reader before the events that were forgotten is told so', async (t) => {
  const oldest = (await read(START))[0]!;
  await database.pool.query(`update events set created_at = now() - interval '49 hours'`);
  const place = await events.latest();
  await tell('kept');
  await readAll(place, 1);
  const { rows: counted } = await database.pool.query('select count(*) as count from events');
  t.equal(await events.forget(48, 1000, 1000), counted[0].count - 1, 'all but the new one');
  t.equal(await events.forget(48, 1000, 1000), 0);
  t.equal(await events.after(START, 10), 'expired');
  t.equal(await events.after(oldest, 10), 'expired');
  t.strictSame(await events.horizon(), place);
  t.strictSame(subjects(await read(place)), ['kept'], 'who had read the forgotten goes on');
});

t.test(
  'events of another PostgreSQL, from which the database was restored, are no events',
  async (t) => {
    const future = { xid: '900000000000', seq: 1 };
    await database.pool.query(
      `insert into events (xid, type, subject, data) values ($1, 'host.created', 'foreign', '{}')`,
      [future.xid],
    );
    await database.pool.query('update event_horizon set xid = $1, seq = 1', [future.xid]);
    t.equal(await events.after(await events.latest(), 10), 'expired', 'nobody could go on');
    await events.adopt();
    await tell('own');
    t.strictSame(subjects(await readAll(await events.horizon(), 2)), ['kept', 'own']);
    t.equal(await events.after(future, 10), 'expired', 'its cursors are none of ours');
  },
);
