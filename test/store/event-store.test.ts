/** Live events in PostgreSQL: in an order that no reader can miss anything by, whoever wrote them when. */
import { type RawBuilder, sql } from 'kysely';
import t from 'tap';
import {
  EVENT_STATEMENTS,
  type EventFilter,
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

t.test('the newest event is that of the greatest number, not of the last text', async (t) => {
  const other = await connect(t, await emptyDatabase(t));
  const store = new EventStore(other.query);
  const xids = ['8', '9', '10', '11', '98', '99', '100', '101'];
  for (const [at, xid] of xids.entries()) {
    await other.pool.query(
      `insert into events (xid, type, subject, data) values ($1, 'host.created', 'host_1', '{}')`,
      [xid],
    );
    t.equal((await store.latest()).xid, xid);
    const rows = await store.after({ xid: '8', seq: 0 }, 100);
    const read = Array.isArray(rows) ? rows.map((row) => row.xid) : rows;
    t.strictSame(read, xids.slice(0, at + 1), 'and they are read in that order');
  }
});

t.test('what clients cause again and again reads the index, and sorts nothing', async (t) => {
  const { query, pool } = await connect(t, await emptyDatabase(t));
  await pool.query(
    `insert into events (xid, type, subject, data)
     select (1 + n % 500)::text::xid8, 'host.created', 'host_' || n, '{}'
       from generate_series(1, 20000) n`,
  );
  await pool.query(
    `insert into events (xid, type, subject, data)
     select (1 + n % 500)::text::xid8, 'violation.found', 'host_1', '{}'
       from generate_series(1, 50) n`,
  );
  const explain = async (statement: RawBuilder<unknown>): Promise<string> => {
    const plan = await sql<{ 'QUERY PLAN': string }>`explain ${statement}`.execute(query);
    return plan.rows.map((row) => row['QUERY PLAN']).join('\n');
  };
  for (const analysed of [false, true]) {
    if (analysed) await pool.query('vacuum analyze events');
    const latest = await explain(EVENT_STATEMENTS.latest());
    t.match(latest, /^Limit.*\n +-> +Index (Only )?Scan Backward using events_pkey/);
    const after = await explain(EVENT_STATEMENTS.after({ xid: '250', seq: 0 }, 200));
    t.match(after, /^Limit.*\n +-> +Index Scan using events_pkey/);
    const selected = (filter: EventFilter): Promise<string> =>
      explain(EVENT_STATEMENTS.after({ xid: '250', seq: 0 }, 200, filter));
    // The few events of a subject, or of a rare type, may be sorted once they are found.
    t.match(await selected({ subject: 'host_1' }), /Index Scan (using|on) events_subject/);
    t.match(await selected({ type: 'violation.found' }), /Index Scan (using|on) events_type/);
    if (analysed) {
      const many = await selected({ type: 'host.created' });
      t.match(many, /^Limit.*\n +-> +Index Scan using events_(type|pkey)/);
    }
    const forget = await explain(EVENT_STATEMENTS.forget(720, 1000, 500));
    const scans = [...forget.matchAll(/-> +(.* on events)\b/g)].map(([, scan]) => scan).sort();
    t.match(scans, [
      'Delete on events',
      /^Index (Only )?Scan Backward using events_pkey on events$/,
      'Index Scan using events_pkey on events',
      'Tid Scan on events',
    ]);
  }
});

t.test('the newest events are kept, and readers before them are told so', async (t) => {
  const other = await connect(t, await emptyDatabase(t));
  const store = new EventStore(other.query);
  const subjects = Array.from({ length: 50 }, (_, at) => `host_${at}`);
  for (const subject of subjects) {
    await insertEvents(other.query, [{ type: 'host.created', subject, data: {} }]);
  }
  await eventually(
    () => store.after(START, 100),
    (rows) => rows.length === 50,
  );
  const counts: number[] = [];
  do counts.push(await store.forget(720, 20, 12));
  while (counts.at(-1) === 12);
  t.strictSame(counts, [12, 12, 6], 'in portions');
  t.equal(await store.after(START, 10), 'expired');
  const rows = await store.after(await store.horizon(), 100);
  t.strictSame(Array.isArray(rows) && rows.map(({ subject }) => subject), subjects.slice(30));
});

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
