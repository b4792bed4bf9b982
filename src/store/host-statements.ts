/** Statements on many hosts at once, and the encoding of many rows as parameters. */
import type { StoredAnswer } from './idempotency-store.js';

/**
 * A column of many rows as one parameter: its values, each followed by U+001F, which occurs in no JSON, id or key.
 * PostgreSQL's own array syntax costs both sides more than the rest of a row.
 */
export function column<Row>(
  rows: readonly Row[],
  value: (row: Row) => string | number,
): string | null {
  // One at the end as well: PostgreSQL turns '' into an array without values.
  return rows.length === 0 ? null : `${rows.map(value).join('\u001f')}\u001f`;
}

export function answerColumns(answers: readonly (StoredAnswer & { readonly id: string })[]) {
  return [
    column(answers, ({ id }) => id),
    column(answers, ({ principal }) => principal),
    column(answers, ({ key }) => key),
    column(answers, ({ fingerprint }) => fingerprint),
    column(answers, ({ answer }) => answer),
  ];
}

/** The SQL expression for the array in a parameter. */
const array = (n: number, type = 'text'): string =>
  `trim_array(string_to_array($${n}::text, chr(31)), 1)::${type}[]`;

const answersFrom = (n: number): string => `
    insert into idempotency_keys (principal, key, fingerprint, answer)
    select a.principal, a.key, a.fingerprint, a.answer
      from unnest(${[0, 1, 2, 3, 4].map((at) => array(n + at)).join(', ')})
           as a (id, principal, key, fingerprint, answer)`;

/** Creates hosts, up to the limit; copies take the actions of another along. */
export function createStatement(copies: boolean) {
  const parts = [
    `made as (
       insert into hosts (id, version, config, image, summary, created_at)
       select w.id, 0, w.config::jsonb, w.image, w.summary, w.created_at
         from unnest(${array(2)}, ${array(3)}, ${array(4)}, ${array(5)}, ${array(6, 'timestamptz')})
                with ordinality as w (id, config, image, summary, created_at, n)
        where w.n + (select count(*) from hosts) <= $1::bigint
        order by w.n
       returning id
     )`,
    `told as (
       insert into events (type, subject, data)
       select e.type, e.id, e.data::jsonb
         from unnest(${array(2)}, ${array(7)}, ${array(8)}) as e (id, type, data)
        where e.id in (select id from made)
     )`,
    `answered as (${answersFrom(9)} where a.id in (select id from made))`,
  ];
  if (copies) {
    parts.push(
      `copied as (
         insert into host_actions (host_id, last_index, actions)
         select c.id, o.last_index, o.actions
           from unnest(${array(14)}, ${array(15)}, ${array(16, 'bigint')}) as c (id, original, last_index)
           join host_actions o on o.host_id = c.original and o.last_index <= c.last_index
          where o.host_id = any (${array(15)}) and c.id in (select id from made)
       )`,
    );
  }
  const name = `create_hosts_${Number(copies)}`;
  return { name, text: `with ${parts.join(', ')} select id from made` };
}

/** One row for each requested host, in order: without image if the known version is current, without id if there is no such host. */
export const FETCH = `
  select h.id, h.seq, h.version, h.created_at,
         case when h.version <> w.known then h.config end as config,
         case when h.version <> w.known then h.image end as image,
         case when h.version <> w.known then h.tail end as tail
    from unnest(${array(1)}, ${array(2, 'bigint')}) with ordinality as w (id, known, n)
    left join lateral (select * from hosts where hosts.id = w.id) h on true
   order by w.n`;

/**
 * Locks the hosts that still have the expected version, in the order of their ids, so that two instances cannot deadlock; then
 * writes everything that belongs to them. Parts without rows are left out: most steps write only a host.
 */
export function commitStatement(chunks: boolean, answers: boolean, events: boolean) {
  let used = 8;
  const next = (count: number): number[] => {
    used += count;
    return Array.from({ length: count }, (_, at) => used - count + 1 + at);
  };
  const parts = [
    `wanted as (
       select * from unnest(${array(1)}, ${array(2, 'bigint')}, ${array(3, 'bigint')}, ${array(4)}, ${array(5)},
                            ${array(6)}, ${array(7, 'bigint')}, ${array(8)})
                as w (id, base, version, image, summary, tail, last_action, actions)
     )`,
    `locked as materialized (
       select h.id from hosts h join wanted w on h.id = w.id and h.version = w.base
        where h.id = any (${array(1)}) order by h.id for update of h
     )`,
    `changed as (
       update hosts h
          set version = w.version, image = w.image, summary = w.summary, tail = w.tail
         from wanted w
        where h.id = w.id and w.image <> '' and w.id in (select id from locked)
          and h.id = any (${array(1)})
     )`,
    `recorded as (
       insert into host_actions (host_id, last_index, actions)
       select w.id, w.last_action, w.actions
         from wanted w
        where w.actions <> '' and w.id in (select id from locked)
     )`,
  ];
  if (chunks) {
    const [id = 0, lastIndex = 0, forgetTo = 0, entries = 0] = next(4);
    parts.push(
      `chunked as (
         insert into host_traces (host_id, last_index, entries)
         select t.id, t.last_index, t.entries
           from unnest(${array(id)}, ${array(lastIndex, 'bigint')}, ${array(entries)})
                as t (id, last_index, entries)
          where t.id in (select id from locked)
       )`,
      `forgotten as (
         delete from host_traces o
          using unnest(${array(id)}, ${array(forgetTo, 'bigint')}) as t (id, forget_to)
          where o.host_id = t.id and o.last_index <= t.forget_to
            and t.id in (select id from locked)
       )`,
    );
  }
  if (answers) {
    const [first = 0] = next(5);
    parts.push(`answered as (${answersFrom(first)} where a.id in (select id from locked))`);
  }
  if (events) {
    const [id = 0, type = 0, data = 0] = next(3);
    parts.push(
      `told as (
         insert into events (type, subject, data)
         select e.type, e.id, e.data::jsonb
           from unnest(${array(id)}, ${array(type)}, ${array(data)}) as e (id, type, data)
          where e.id in (select id from locked)
       )`,
    );
  }
  const name = `commit_hosts_${Number(chunks)}${Number(answers)}${Number(events)}`;
  return { name, text: `with ${parts.join(', ')} select id from locked` };
}
