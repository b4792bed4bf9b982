/** Hosts in PostgreSQL: what two instances may do to one at the same time. */
import type pg from 'pg';
import t, { type Test } from 'tap';
import type { TraceEntry } from '../../src/pmu/stepping/run.js';
import { chunkOf, NO_TAIL, readTrace, withEntries } from '../../src/service/hosts/trace-text.js';
import { readDatabaseValues } from '../../src/store/database-values.js';
import { HostStore, type HostWrite } from '../../src/store/host-store.js';
import { connect, emptyDatabase, eventually, meddler } from '../instances.js';
import { Dice } from '../pmu/random-walk.js';

const url = await emptyDatabase(t);
const [here, there] = [await connect(t, url), await connect(t, url)];
const [store, other] = [new HostStore(here, 1000), new HostStore(there, 1000)];
const sql = await meddler(t, url);

const newHost = (id: string) => ({
  id,
  config: { cpu_model: 'emerald-rapids' },
  image: 'image 0',
  summary: 'summary 0',
  createdAt: '2026-11-23T12:00:00.000Z',
  answer: undefined,
  event: { type: 'host.created', subject: id, data: {} },
});

const write = (id: string, base: number, more: Partial<HostWrite> = {}): HostWrite => ({
  id,
  base,
  version: base + 1,
  image: `image ${base + 1}`,
  summary: `summary ${base + 1}`,
  tail: '',
  chunk: null,
  actions: null,
  answers: [],
  events: [],
  ...more,
});

const entry = (index: number): TraceEntry => ({
  index,
  cpu: 0,
  vcpu: undefined,
  actor: 'kvm',
  at: 'k1_run',
  writes: [],
  changes: [],
  missed: [],
});
const entries = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, at) => entry(first + at));

/** More entries than a tail takes, up to that one. */
const chunk = (last: number) => chunkOf(withEntries(NO_TAIL, entries(last - 299, last)), last);

/** All that belongs to a host, in every table. */
async function belongings(id: string): Promise<unknown> {
  const { rows } = await sql.query(
    `select (select row(version, image)::text from hosts where id = $1) as host,
            (select count(*)::int from host_traces where host_id = $1) as traces,
            (select count(*)::int from idempotency_keys where answer = $1) as answers,
            (select count(*)::int from events where subject = $1) as events`,
    [id],
  );
  return rows[0];
}

/** How many sessions wait for a lock. */
async function waiting(client: pg.Client): Promise<number> {
  const { rows } = await client.query(
    `select count(*)::int as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows[0].count;
}

t.test('a host is read as it was made, and only once more if it has changed', async (t) => {
  t.ok(await store.create(newHost('host_a')));
  const row = await other.fetch('host_a');
  t.match(row, { id: 'host_a', version: 0, image: 'image 0' });
  t.match(row, {
    config: { cpu_model: 'emerald-rapids' },
    createdAt: new Date('2026-11-23T12:00:00Z'),
  });
  t.equal(await other.fetch('host_a', 0), 'unchanged');
  t.ok(await store.commit(write('host_a', 0)));
  t.match(await other.fetch('host_a', 0), { version: 1, image: 'image 1' });
  t.equal(await store.fetch('host_none'), undefined);
});

t.test('answers of one group are each for who asked', async (t) => {
  await Promise.all(['host_b', 'host_c'].map((id) => store.create(newHost(id))));
  const asked = ['host_c', 'host_none', 'host_b', 'host_c'];
  const found = await Promise.all(asked.map((id) => store.fetch(id)));
  t.strictSame(
    found.map((row) => (typeof row === 'object' ? row.id : row)),
    ['host_c', undefined, 'host_b', 'host_c'],
  );
});

t.test('a change made from an old version writes nothing at all', async (t) => {
  await store.create(newHost('host_d'));
  const belonging = (at: number): Partial<HostWrite> => ({
    chunk: chunk(300 * at),
    answers: [{ principal: '', key: `d${at}`, fingerprint: '', answer: 'host_d' }],
    events: [{ type: 'violation.found', subject: 'host_d', data: {} }],
  });
  t.ok(await store.commit(write('host_d', 0, belonging(1))));
  const before = await belongings('host_d');
  t.strictSame(before, { host: '(1,"image 1")', traces: 1, answers: 1, events: 2 });
  t.notOk(await other.commit(write('host_d', 0, { ...belonging(2), image: 'lost update' })));
  t.notOk(await other.commit(write('host_gone', 0, belonging(3))));
  t.strictSame(await belongings('host_d'), before);
});

t.test('a group in which one host has moved on writes the others', async (t) => {
  await Promise.all(['host_e', 'host_f'].map((id) => store.create(newHost(id))));
  await other.commit(write('host_e', 0));
  const done = await Promise.all([
    store.commit(write('host_e', 0, { image: 'stale' })),
    store.commit(write('host_f', 0)),
  ]);
  t.strictSame(done, [false, true]);
  t.match(await store.fetch('host_e'), { version: 1, image: 'image 1' });
});

t.test('a repeated key hinders nobody else who writes at the same time', async (t) => {
  await Promise.all(['host_g', 'host_h'].map((id) => store.create(newHost(id))));
  const answers = [{ principal: '', key: 'twice', fingerprint: '', answer: 'x' }];
  await store.commit(write('host_g', 0, { answers }));
  const [again, else_] = await Promise.allSettled([
    store.commit(write('host_g', 1, { answers, image: 'doubled' })),
    store.commit(write('host_h', 0)),
  ]);
  t.match(again, { status: 'rejected', reason: { code: '23505' } });
  t.match(else_, { status: 'fulfilled', value: true });
  t.match(await store.fetch('host_g'), { version: 1, image: 'image 1' });
});

t.test('two instances change many hosts in any order and lose nothing', async (t) => {
  const ids = Array.from({ length: 60 }, (_, at) => `host_many${at}`);
  await Promise.all(ids.map((id) => store.create(newHost(id))));
  const step = async (through: HostStore, id: string): Promise<number> => {
    for (let refused = 0; ; refused += 1) {
      const row = await through.fetch(id);
      if (typeof row !== 'object') throw new Error(`${id} is gone`);
      if (await through.commit(write(id, row.version))) return refused;
    }
  };
  const rounds = 12;
  let refused = 0;
  await Promise.all(
    [store, other].map(async (through, seed) => {
      const dice = new Dice(seed);
      for (let round = 0; round < rounds; round += 1) {
        const shuffled = ids
          .map((id) => ({ id, place: dice.below(1e6) }))
          .sort((a, b) => a.place - b.place);
        const done = await Promise.all(shuffled.map(({ id }) => step(through, id)));
        refused += done.reduce((sum, times) => sum + times, 0);
      }
    }),
  );
  t.ok(refused > 0, `they met ${refused} times`);
  const rows = await Promise.all(ids.map((id) => store.fetch(id)));
  for (const row of rows) t.match(row, { version: 2 * rounds, image: `image ${2 * rounds}` });
});

t.test('of a trace the newest 1,000 entries are kept', async (t) => {
  await store.create(newHost('host_t'));
  for (let at = 0; at < 12; at += 1) {
    t.ok(await store.commit(write('host_t', at, { chunk: chunk(at * 300 + 300) })));
  }
  const kept = readTrace(await store.chunks('host_t', 2600, 3600));
  const indices = kept.map(({ index }) => index).filter((index) => index > 2600);
  t.strictSame(
    indices,
    entries(2601, 3600).map(({ index }) => index),
  );
  const { rows } = await sql.query(
    `select count(*)::int as chunks from host_traces where host_id = 'host_t'`,
  );
  t.strictSame(rows, [{ chunks: 4 }], 'what is older is gone');
  t.strictSame(readTrace(await store.chunks('host_t', 3600, 3600)), []);
});

t.test('deleting insists on the version, and takes the trace along', async (t) => {
  await store.create(newHost('host_x'));
  await store.commit(write('host_x', 0, { chunk: chunk(300) }));
  t.notOk(await other.delete('host_x', [0]));
  t.match(await belongings('host_x'), { traces: 1 });
  t.ok(await other.delete('host_x', [0, 1]));
  t.match(await belongings('host_x'), { host: null, traces: 0, events: 2 }, 'and tells it');
  t.notOk(await other.delete('host_x', undefined), 'once');
  t.notOk(await store.commit(write('host_x', 1)));
});

t.test('nothing is left of a host that is changed and deleted at the same moment', async (t) => {
  await store.create(newHost('host_y'));
  await sql.query('begin');
  await sql.query(`select 1 from hosts where id = 'host_y' for update`);
  const watch = await meddler(t, url);
  const changed = store.commit(write('host_y', 0, { chunk: chunk(300) }));
  t.equal(
    await eventually(
      () => waiting(watch),
      (count) => count === 1,
    ),
    1,
  );
  const deleted = other.delete('host_y', undefined);
  t.equal(
    await eventually(
      () => waiting(watch),
      (count) => count === 2,
    ),
    2,
  );
  await sql.query('rollback');
  t.strictSame(await Promise.all([changed, deleted]), [true, true]);
  t.match(await belongings('host_y'), { host: null, traces: 0 });
});

t.test('the limit counts the hosts of a group one by one', async (t: Test) => {
  const { hosts: count } = await readDatabaseValues(here);
  const narrow = new HostStore(here, count + 2);
  const made = await Promise.all(
    ['host_1', 'host_2', 'host_3', 'host_4'].map((id) => narrow.create(newHost(id))),
  );
  t.strictSame(made, [true, true, false, false]);
  t.match(await belongings('host_3'), { host: null, events: 0 });
});
