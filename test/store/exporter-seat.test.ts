/** One instance of a database exports what they share: whoever is scraped first, until it dies or is scraped no more. */
import t from 'tap';
import { ExporterSeat } from '../../src/store/database-values.js';
import { emptyDatabase, eventually, meddler } from '../instances.js';

const url = await emptyDatabase(t);
const sql = await meddler(t, url);
/** Long beside the time it takes to connect on a busy machine. */
const SEAT_MILLIS = 2000;

function seat(): ExporterSeat {
  const made = new ExporterSeat(url, () => {}, SEAT_MILLIS);
  t.teardown(() => made.close());
  return made;
}

const one = seat();
const other = seat();
const isTaken = (by: ExporterSeat) =>
  eventually(
    // A session that was ended fails once.
    () => by.take().catch(() => false),
    (held) => held,
  );

t.test('one has it, as long as it asks', async (t) => {
  t.ok(await one.take());
  for (let round = 0; round < 4; round += 1) {
    t.strictSame([await one.take(), await other.take()], [true, false]);
    await new Promise((resolve) => setTimeout(resolve, SEAT_MILLIS / 3));
  }
});

t.test('who asks no more has left it', async (t) => {
  t.ok(await isTaken(other));
  t.notOk(await one.take());
});

t.test('a session that ends leaves it, and its instance may ask again', async (t) => {
  await sql.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'pebslab exporter'`,
  );
  t.ok(await isTaken(one));
  t.notOk(await other.take());
});
