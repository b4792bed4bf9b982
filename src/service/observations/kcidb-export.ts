/** Finished observations as documents of KCIDB, a page after the other. */
import type { KcidbPage } from '../../../schemas/report.js';
import type { Database } from '../../store/database.js';
import { type EndedRow, EndedStore } from '../../store/ended-store.js';
import { cursorOf, placeOf } from '../events/event-text.js';
import { ProblemError } from '../problem-error.js';
import { toKcidb } from '../reports/kcidb.js';
import { observationReport } from '../reports/of-observation.js';
import { Slices } from '../slices.js';
import { observationOf } from './views.js';

/** A page has fewer observations rather than many more tests. */
const TESTS_MAX = 1000;

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
    if (place === undefined) throw badCursor();
    const rows = await this.store.after(place, limit + 1);
    const items: KcidbPage['items'] = [];
    const slices = new Slices();
    let last: EndedRow | undefined;
    let tests = 0;
    for (const row of rows.slice(0, limit)) {
      if (tests >= TESTS_MAX) break;
      const document = toKcidb([observationReport(observationOf(row))]);
      items.push(document);
      tests += document.tests.length;
      last = row;
      await slices.pause();
    }
    const next = cursorOf(last ?? place);
    return { items, next_cursor: next, has_more: rows.length > items.length };
  }
}

function badCursor(): ProblemError {
  const detail = 'is not a cursor of this list';
  return new ProblemError('validation', `after ${detail}.`, [
    { pointer: '/after', detail, in: 'query' },
  ]);
}
