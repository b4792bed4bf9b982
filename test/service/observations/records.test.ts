/** Pages of records, read out of some pieces of a text, are the records of the whole. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Reading } from '../../../src/observations/reading.js';
import { recordView } from '../../../src/observations/record-view.js';
import { PieceReading } from '../../../src/service/observations/piece-reading.js';
import {
  type NumberedRecord,
  StoredRecords,
} from '../../../src/service/observations/stored-records.js';
import { ObservationStore } from '../../../src/store/observation-store.js';
import { TextStore } from '../../../src/store/text-store.js';
import { connect, emptyDatabase } from '../../instances.js';

const CAPTURES = fileURLToPath(new URL('../../../../test/captures', import.meta.url));

const database = await connect(t, await emptyDatabase(t));
const observations = new ObservationStore(database);
const texts = new TextStore(database);
let stored = 0;

/** Stores a text as it arrives in batches of such a size, each a piece. */
async function store(text: Buffer, format: string, batch: number) {
  const id = `obs_${stored++}`;
  await observations.begin(id, {});
  const reading = new PieceReading({ format, keeps: true });
  const keep = async (piece: Awaited<ReturnType<PieceReading['read']>>) => {
    if (piece !== undefined) await texts.keep(id, piece);
  };
  for (let at = 0; at < text.length; at += batch) {
    await keep(await reading.read(text.subarray(at, at + batch)));
  }
  const { last, answer } = await reading.end();
  await keep(last);
  return { id, answer, records: new StoredRecords(texts, id, { format: answer.format }) };
}

/** The records of a whole text. */
function whole(text: Buffer, format: string): object[] {
  const records: object[] = [];
  const reading = new Reading({ format }, { record: (record) => records.push(recordView(record)) });
  reading.write(text.toString());
  reading.end();
  return records;
}

const view = ({ record, line }: NumberedRecord) => ({ ...recordView(record), line });

async function pages(records: StoredRecords, limit: number): Promise<object[]> {
  const all: object[] = [];
  for (;;) {
    const page = await records.page(all.length, limit);
    page.records.forEach(({ number }, at) => {
      if (number !== all.length + at + 1) throw new Error(`record ${number} at ${all.length + at}`);
    });
    all.push(...page.records.map(view));
    if (!page.hasMore) return all;
    if (page.records.length === 0) throw new Error('a page without records has a next one');
  }
}

async function all(records: StoredRecords): Promise<object[]> {
  const found: object[] = [];
  for await (const some of records.all()) found.push(...some.map(view));
  return found;
}

async function holds(t: Test, text: Buffer, format: string, batch: number, limit: number) {
  const expected = whole(text, format);
  const { records, answer } = await store(text, format, batch);
  t.equal(answer.records, expected.length);
  t.strictSame(await all(records), expected, 'one after the other');
  t.strictSame(await pages(records, limit), expected, 'page by page');
}

t.test('of every sample, in small pieces, after itself many times', async (t) => {
  let read = 0;
  for (const name of readdirSync(CAPTURES)) {
    const sample = readFileSync(join(CAPTURES, name));
    try {
      whole(sample, 'auto');
    } catch {
      // What is refused is not stored.
      continue;
    }
    const text = Buffer.concat([...Array<Buffer>(12).fill(sample)]);
    let expected: object[];
    try {
      expected = whole(text, 'auto');
    } catch {
      continue;
    }
    const { records } = await store(text, 'auto', 200);
    t.strictSame(await all(records), expected, `${name}: one after the other`);
    t.strictSame(await pages(records, 7), expected, `${name}: page by page`);
    read += 1;
  }
  t.ok(read > 40, `${read} samples`);
});

const LINE = (at: number) => `cpu=${at % 4} 3f1=${String(at % 2).padStart(16, '0')}\n`;

t.test('in pieces of all sizes', async (t) => {
  const text = Buffer.from(Array.from({ length: 90 }, (_, at) => LINE(at)).join(''));
  for (const batch of [1, 27, 28, 1000, 10_000]) {
    for (const limit of [7, 1000]) await holds(t, text, 'rdmsr', batch, limit);
  }
});

t.test('a page is read out of few pieces', async (t) => {
  const text = Buffer.from(Array.from({ length: 500 }, (_, at) => LINE(at)).join(''));
  const { id } = await store(text, 'rdmsr', 280);
  const read: number[] = [];
  class Watched extends TextStore {
    override text(observation: string, n: number) {
      read.push(n);
      return super.text(observation, n);
    }
  }
  const records = new StoredRecords(new Watched(database), id, { format: 'rdmsr' });
  const page = await records.page(300, 5);
  t.strictSame(
    page.records.map(({ number, line }) => [number, line]),
    [301, 302, 303, 304, 305].map((number) => [number, number]),
  );
  t.equal(read[0], 0, 'the head');
  t.ok(read.length <= 4, `and what comes just before: ${read}`);
  await sqlSpoils(id);
  read.length = 0;
  t.strictSame((await records.page(300, 5)).records.map(view), page.records.map(view));
  t.ok(read.length > 20, 'where its records are not the same again, all up to them');
});

/** As if the records had not been the same when the text was read at first. */
async function sqlSpoils(id: string): Promise<void> {
  await database.query
    .updateTable('observation_pieces')
    .set(({ eb }) => ({ record_check: eb('record_check', '+', 1) }))
    .where('observation_id', '=', id)
    .execute();
}

t.test('with and without an end of the last line', async (t) => {
  for (const end of ['', '\n', '\ncpu=1', '\ncpu=1 3f1=0000000000000001']) {
    await holds(t, Buffer.from(`${LINE(0)}${LINE(1).trim()}${end}`), 'rdmsr', 30, 1);
  }
});

t.test('where a title at the head says what the columns are', async (t) => {
  const rows = Array.from({ length: 400 }, (_, at) => `${at % 8}\t0x${'0'.repeat(15)}${at % 2}\n`);
  const title = 'CPU\t           PEBS_EN\n';
  await holds(
    t,
    Buffer.from(`${title}-\t0x0000000000000000\n${rows.join('')}`),
    'turbostat',
    500,
    30,
  );
});

t.test('where what matters is said far before', async (t) => {
  // The kernel resets the PMU of CPU 0: what is read of it later is no reading.
  const cleared =
    '[   50.000000] perfevents: irq loop stuck!\n[   50.000001] CPU#0: pebs:       0000000000000000\n[   50.000002] core: clearing PMU state on CPU#0\n';
  const lines = Array.from(
    { length: 300 },
    (_, at) => `[  ${100 + at}.000000] CPU#${at % 3}: pebs:       000000000000000${at % 2}\n`,
  );
  await holds(
    t,
    Buffer.from(
      `[   49.000000] Linux version 6.12.90 (x)\n${'[   49.500000] noise\n'.repeat(30)}${cleared}${lines.join('')}`,
    ),
    'console',
    300,
    20,
  );
});

t.test('where lines are longer than pieces', async (t) => {
  const long = `${'x'.repeat(5_000_000)} cpu=3 3f1=0000000000000001\n`;
  await holds(t, Buffer.from(`${LINE(0)}${long}${LINE(1)}`), 'rdmsr', 1_000_000, 1);
});
