/** Cancels many pieces of work at once. */
import { sql } from 'kysely';
import type { Database } from './database.js';
import type { EventInput } from './event-store.js';
import type { WorkTableName } from './work-store.js';

export interface Cancel {
  readonly id: string;
  /** Written if the work ends immediately. */
  readonly event: EventInput;
}

/**
 * Queued and paused work ends; running work is notified, on whichever instance runs it. All in one transaction: separate ones
 * would wait for each other's notices. Returns for each whether it ended.
 */
export async function cancelWork(
  database: Database,
  table: WorkTableName,
  cancels: readonly Cancel[],
): Promise<boolean[]> {
  const work = sql.table(table);
  const { rows } = await sql<{ notice: string }>`
    with asked as (
      select w.id, c.type, c.data
        from ${work} w
        join unnest(${cancels.map(({ id }) => id)}::text[],
                    ${cancels.map(({ event }) => event.type)}::text[],
                    ${cancels.map(({ event }) => JSON.stringify(event.data))}::text[])
             as c (id, type, data) on c.id = w.id
       where w.finished_at is null
       order by w.id for update of w
    ), told as (
      update ${work} w
         set cancel_requested = true,
             state = case when w.state in ('queued', 'paused') then 'cancelled' else w.state end,
             finished_at = case when w.state in ('queued', 'paused') then now() end
        from asked a where w.id = a.id
      returning w.id, w.state, a.type, a.data
    ), events as (
      insert into events (type, subject, data)
      select type, id, data::jsonb from told where state = 'cancelled'
    )
    select n.notice, pg_notify('pebslab', n.notice)
      from (select 'cancelled:' || id as notice from told
            union all
            select 'finished:' || id from told where state = 'cancelled') n`.execute(
    database.query,
  );
  const notices = new Set(rows.map(({ notice }) => notice));
  return cancels.map(({ id }) => notices.has(`finished:${id}`));
}
