/** Cancels or pauses many pieces of work at once. */
import { sql } from 'kysely';
import type { Database } from './database.js';
import type { EventInput } from './event-store.js';
import type { WorkTableName } from './work-store.js';

export interface Stop {
  readonly id: string;
  /** Written if the work stops immediately. */
  readonly event: EventInput;
}

/** Which work can be stopped, what is set, and the state of what stops immediately. */
const WAYS = {
  cancel: {
    which: sql`w.finished_at is null`,
    set: sql`
      cancel_requested = true,
      state = case when w.state in ('queued', 'paused') then 'cancelled' else w.state end,
      finished_at = case when w.state in ('queued', 'paused') then now() end`,
    stopped: 'cancelled',
  },
  pause: {
    which: sql`w.state in ('queued', 'running') and not w.cancel_requested`,
    set: sql`
      pause_requested = (w.state = 'running'),
      state = case w.state when 'queued' then 'paused' else w.state end`,
    stopped: 'paused',
  },
} as const;

/**
 * Work that waits stops immediately; running work is notified, on whichever instance runs it. All in one transaction: separate
 * ones would wait for each other's notices. Returns for each whether it stopped.
 */
export async function stopWork(
  database: Database,
  table: WorkTableName,
  way: keyof typeof WAYS,
  stops: readonly Stop[],
): Promise<boolean[]> {
  const work = sql.table(table);
  const { which, set, stopped } = WAYS[way];
  const { rows } = await sql<{ notice: string }>`
    with asked as (
      select w.id, s.type, s.data
        from ${work} w
        join unnest(${stops.map(({ id }) => id)}::text[],
                    ${stops.map(({ event }) => event.type)}::text[],
                    ${stops.map(({ event }) => JSON.stringify(event.data))}::text[])
             as s (id, type, data) on s.id = w.id
       where ${which}
       order by w.id for update of w
    ), told as (
      update ${work} w set ${set}
        from asked a where w.id = a.id
      returning w.id, w.state, a.type, a.data
    ), events as (
      insert into events (type, subject, data)
      select type, id, data::jsonb from told where state = ${stopped}
    )
    select n.notice, pg_notify('pebslab', n.notice)
      from (select 'cancelled:' || id as notice from told
            union all
            select 'finished:' || id from told where state = ${stopped}) n`.execute(database.query);
  const notices = new Set(rows.map(({ notice }) => notice));
  return stops.map(({ id }) => notices.has(`finished:${id}`));
}
