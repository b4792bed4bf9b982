/** Finished observations as documents of KCIDB, a page after the other. */
import type { KcidbPage } from '../../../schemas/report.js';
import type { Database } from '../../store/database.js';
import { type EndedPlace, type EndedRow, EndedStore } from '../../store/ended-store.js';
import { cursorOf, placeOf } from '../events/event-text.js';
import { queryRefused } from '../problem-error.js';
import { toKcidb } from '../reports/kcidb.js';
import { observationReport } from '../reports/of-observation.js';
import { Slices } from '../slices.js';
import { observationOf } from './views.js';

/** A page has fewer observations rather than many more tests. */
const TESTS_MAX = 1000;
/** What was read in each may be long. */
const ROWS_AT_ONCE = 8;

export class KcidbExport {
  private readonly store: EndedStore;

  constructor(database: Database) {
    this.store = new EndedStore(database);
  }

  /** Call before the first read. */
  open(): Promise<void> {
    return this.store.adopt();
  }

  async page(after: string | undefined, limit: number): Promise<KcidbPage> {
    const place = after === undefined ? { xid: '0', seq: 0 } : placeOf(after);
    if (place === undefined) {
      throw queryRefused('validation', 'after', 'is not a cursor of this list');
    }
    const items: KcidbPage['items'] = [];
    const slices = new Slices();
    let last: EndedPlace = place;
    let tests = 0;
    for await (const row of this.rowsAfter(place)) {
      if (items.length >= limit || tests >= TESTS_MAX) {
        return { items, next_cursor: cursorOf(last), has_more: true };
      }
      const document = toKcidb([observationReport(observationOf(row))]);
      items.push(document);
      tests += document.tests.length;
      last = row;
      await slices.pause();
    }
    return { items, next_cursor: cursorOf(last), has_more: false };
  }

  private async *rowsAfter(place: EndedPlace): AsyncGenerator<EndedRow> {
    for (let after = place; ; ) {
      const rows = await this.store.after(after, ROWS_AT_ONCE);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROWS_AT_ONCE) return;
      after = last;
    }
  }
}
