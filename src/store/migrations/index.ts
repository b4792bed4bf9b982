/** Migrates a database to the tables of this version; several instances may start at once. */
import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import type { Tables } from '../tables.js';
import { first } from './2026-11-23-first.js';
import { hostSummaries } from './2026-11-26-host-summaries.js';
import { kept } from './2026-11-26-kept.js';
import { limits } from './2026-11-27-limits.js';
import { pauses } from './2026-11-27-pauses.js';
import { selectedEvents } from './2026-11-27-selected-events.js';
import { texts } from './2026-11-27-texts.js';
import { explanations } from './2026-11-28-explanations.js';
import { explanationsOf } from './2026-11-28-explanations-of.js';
import { hostActions } from './2026-11-28-host-actions.js';
import { pools } from './2026-11-29-pools.js';
import { ended } from './2026-11-30-ended.js';
import { availableRuns } from './2026-12-01-available-runs.js';

/** By name, which is also their order. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '2026-11-23-first': first,
  '2026-11-26-host-summaries': hostSummaries,
  '2026-11-26-kept': kept,
  '2026-11-27-limits': limits,
  '2026-11-27-pauses': pauses,
  '2026-11-27-selected-events': selectedEvents,
  '2026-11-27-texts': texts,
  '2026-11-28-explanations': explanations,
  '2026-11-28-explanations-of': explanationsOf,
  '2026-11-28-host-actions': hostActions,
  '2026-11-29-pools': pools,
  '2026-11-30-ended': ended,
  '2026-12-01-available-runs': availableRuns,
};

/** The database was made by a newer version of the service. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError';
}

export async function migrate(db: Kysely<Tables>): Promise<void> {
  await refuseNewer(db);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...MIGRATIONS }) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    // Another instance may just have migrated the database beyond what this one knows.
    await refuseNewer(db);
    throw error;
  }
}

async function refuseNewer(db: Kysely<Tables>): Promise<void> {
  const { rows: tables } = await sql<{ found: string | null }>`
    select to_regclass('kysely_migration')::text as found`.execute(db);
  if (tables[0]?.found == null) return;
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
  const unknown = rows.map(({ name }) => name).filter((name) => !(name in MIGRATIONS));
  if (unknown.length === 0) return;
  throw new SchemaTooNewError(
    `The database was made by a newer version of the service (it has ${unknown.join(', ')}): start that version, or use another database.`,
  );
}
