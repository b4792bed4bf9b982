/**
 * Hosts in PostgreSQL: a configuration, a packed image and a version that counts changes. A change is written only to the
 * version it was made from, so with two instances no change is lost or applied twice.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Database } from './database.js';
import { type EventInput, eventOf, insertEvents } from './event-store.js';
import { GroupCommit, type OnWritten } from './group-commit.js';
import {
  answerColumns,
  column,
  commitStatement,
  createStatement,
  FETCH,
} from './host-statements.js';
import type { StoredAnswer } from './idempotency-store.js';

/** A stored host; the service defines the contents of `config` and `image`. */
export interface HostRow {
  readonly id: string;
  readonly seq: number;
  readonly version: number;
  readonly config: unknown;
  readonly image: string;
  /** The newest entries of the trace. */
  readonly tail: string;
  readonly createdAt: Date;
}

/** A host as a list shows it, without its image. */
export interface ListedHost {
  readonly id: string;
  readonly seq: number;
  readonly config: unknown;
  readonly summary: string;
  readonly createdAt: Date;
}

/** Filters of hosts; absent ones let every host pass. */
export interface HostsWanted {
  readonly name?: string | undefined;
  readonly cpuModel?: string | undefined;
  readonly kernels?: readonly string[] | undefined;
}

/** The writes of a batch of changes, all or nothing. */
export interface HostWrite {
  readonly id: string;
  /** The version the changes were made from. */
  readonly base: number;
  readonly version: number;
  /** Null if nothing changed: then only the version is checked. */
  readonly image: string | null;
  readonly summary: string;
  readonly tail: string;
  readonly chunk: TraceChunk | null;
  readonly actions: ActionsRow | null;
  readonly answers: readonly StoredAnswer[];
  readonly events: readonly EventInput[];
}

export interface TraceChunk {
  /** Entries up to here may be deleted. */
  readonly forgetTo: number;
  readonly lastIndex: number;
  readonly entries: string;
}

/** Actions that were taken together, for a script that makes the host again. */
export interface ActionsRow {
  /** Number of the last of them among all actions of the host. */
  readonly lastIndex: number;
  readonly actions: string;
}

interface NewHost {
  readonly id: string;
  readonly config: object;
  readonly image: string;
  readonly summary: string;
  readonly createdAt: string;
  /** The host whose actions it takes over, and up to which. */
  readonly copied?: { readonly id: string; readonly lastIndex: number } | undefined;
  readonly answer: StoredAnswer | undefined;
  readonly event: EventInput;
}

type Fetched = HostRow | 'unchanged' | undefined;

export class HostStore {
  private readonly database: Database;
  private readonly creations: GroupCommit<NewHost, boolean>;
  private readonly commits: GroupCommit<HostWrite, boolean>;
  private readonly fetches: GroupCommit<{ id: string; known: number }, Fetched>;

  /** `onWritten` is told of every group of changes that was written. */
  constructor(database: Database, hostsMax: number, onWritten?: OnWritten) {
    this.database = database;
    // One statement at a time, so that the count is right. Several instances creating at once may exceed the limit by a few.
    this.creations = new GroupCommit((hosts) => this.createAll(hosts, hostsMax), 1, onWritten);
    this.commits = new GroupCommit((writes) => this.writeAll(writes), undefined, onWritten);
    this.fetches = new GroupCommit((wanted) => this.fetchAll(wanted));
  }

  /** Writes to the version the changes were made from; false if that is no longer current, or the host is gone. */
  commit(write: HostWrite): Promise<boolean> {
    return this.commits.add(write);
  }

  /** The host, unless the known version is still current. */
  fetch(id: string, known = -1): Promise<Fetched> {
    return this.fetches.add({ id, known });
  }

  /** False, and nothing is written, if the limit is reached. */
  create(host: NewHost): Promise<boolean> {
    return this.creations.add(host);
  }

  /** Those that follow a number and are wanted. There are too few for more indexes than that of `seq`. */
  async list(
    after: number,
    limit: number,
    isNewestFirst: boolean,
    wanted: HostsWanted,
  ): Promise<ListedHost[]> {
    return this.database.query
      .selectFrom('hosts')
      .select(['id', 'seq', 'config', 'summary', 'created_at as createdAt'])
      .where('seq', isNewestFirst ? '<' : '>', after)
      .where(passes(wanted))
      .orderBy('seq', isNewestFirst ? 'desc' : 'asc')
      .limit(limit)
      .execute();
  }

  /** The ids of all that are wanted, oldest first. */
  async idsOf(wanted: HostsWanted): Promise<string[]> {
    const rows = await this.database.query
      .selectFrom('hosts')
      .select('id')
      .where(passes(wanted))
      .orderBy('seq')
      .execute();
    return rows.map(({ id }) => id);
  }

  /** Deletes the host with its trace, if it has one of `versions`. Returns whether there was such a host. */
  async delete(id: string, versions: readonly number[] | undefined): Promise<boolean> {
    return this.database.query.transaction().execute(async (trx) => {
      const { rows } = await sql`
        delete from hosts
         where id = ${id} and (${versions ?? null}::bigint[] is null or version = any (${versions ?? null}::bigint[]))
        returning id`.execute(trx);
      if (rows.length === 0) return false;
      // A separate statement sees what was written while the first one waited for the row.
      await trx.deleteFrom('host_traces').where('host_id', '=', id).execute();
      await trx.deleteFrom('host_actions').where('host_id', '=', id).execute();
      await insertEvents(trx, [eventOf('host.deleted', id)]);
      return true;
    });
  }

  /** The chunks of a trace with entries after one index and none after another, oldest first. */
  async chunks(id: string, after: number, to: number): Promise<string[]> {
    const rows = await this.database.query
      .selectFrom('host_traces')
      .select('entries')
      .where('host_id', '=', id)
      .where('last_index', '>', after)
      .where('last_index', '<=', to)
      .orderBy('last_index')
      .execute();
    return rows.map(({ entries }) => entries);
  }

  /** The actions of a host up to an index, oldest first. */
  async actions(id: string, to: number): Promise<string[]> {
    const rows = await this.database.query
      .selectFrom('host_actions')
      .select('actions')
      .where('host_id', '=', id)
      .where('last_index', '<=', to)
      .orderBy('last_index')
      .execute();
    return rows.map(({ actions }) => actions);
  }

  private async createAll(hosts: readonly NewHost[], hostsMax: number): Promise<boolean[]> {
    const answers = hosts.flatMap(({ id, answer }) =>
      answer === undefined ? [] : [{ id, ...answer }],
    );
    const copies = hosts.flatMap(({ id, copied }) =>
      copied === undefined ? [] : [{ id, of: copied.id, lastIndex: copied.lastIndex }],
    );
    const { rows } = await this.database.pool.query<{ id: string }>({
      ...createStatement(copies.length > 0),
      values: [
        hostsMax,
        column(hosts, ({ id }) => id),
        column(hosts, ({ config }) => JSON.stringify(config)),
        column(hosts, ({ image }) => image),
        column(hosts, ({ summary }) => summary),
        column(hosts, ({ createdAt }) => createdAt),
        column(hosts, ({ event }) => event.type),
        column(hosts, ({ event }) => JSON.stringify(event.data)),
        ...answerColumns(answers),
        ...(copies.length === 0
          ? []
          : [
              column(copies, ({ id }) => id),
              column(copies, ({ of }) => of),
              column(copies, ({ lastIndex }) => lastIndex),
            ]),
      ],
    });
    const made = new Set(rows.map(({ id }) => id));
    return hosts.map(({ id }) => made.has(id));
  }

  private async fetchAll(wanted: readonly { id: string; known: number }[]): Promise<Fetched[]> {
    const { rows } = await this.database.pool.query<HostSelected | Unchanged | Missing>({
      name: 'fetch_hosts',
      text: FETCH,
      values: [column(wanted, ({ id }) => id), column(wanted, ({ known }) => known)],
    });
    return rows.map((row) => {
      if (row.id === null) return undefined;
      return row.image === null ? 'unchanged' : hostRow(row);
    });
  }

  private async writeAll(writes: readonly HostWrite[]): Promise<boolean[]> {
    const chunks = writes.flatMap(({ id, chunk }) => (chunk === null ? [] : [{ id, ...chunk }]));
    const answers = writes.flatMap(({ id, answers }) =>
      answers.map((answer) => ({ id, ...answer })),
    );
    const events = writes.flatMap(({ id, events }) => events.map((event) => ({ id, ...event })));
    const { rows } = await this.database.pool.query<{ id: string }>({
      ...commitStatement(chunks.length > 0, answers.length > 0, events.length > 0),
      values: [
        column(writes, ({ id }) => id),
        column(writes, ({ base }) => base),
        column(writes, ({ version }) => version),
        column(writes, ({ image }) => image ?? ''),
        column(writes, ({ summary }) => summary),
        column(writes, ({ tail }) => tail),
        column(writes, ({ actions }) => actions?.lastIndex ?? 0),
        column(writes, ({ actions }) => actions?.actions ?? ''),
        ...(chunks.length === 0
          ? []
          : [
              column(chunks, ({ id }) => id),
              column(chunks, ({ lastIndex }) => lastIndex),
              column(chunks, ({ forgetTo }) => forgetTo),
              column(chunks, ({ entries }) => entries),
            ]),
        ...(answers.length === 0 ? [] : answerColumns(answers)),
        ...(events.length === 0
          ? []
          : [
              column(events, ({ id }) => id),
              column(events, ({ type }) => type),
              column(events, ({ data }) => JSON.stringify(data)),
            ]),
      ],
    });
    const written = new Set(rows.map(({ id }) => id));
    return writes.map(({ id }) => written.has(id));
  }
}

interface HostSelected {
  readonly id: string;
  readonly seq: number;
  readonly version: number;
  readonly config: unknown;
  readonly image: string;
  readonly tail: string;
  readonly created_at: Date;
}

interface Unchanged {
  readonly id: string;
  readonly image: null;
}

interface Missing {
  readonly id: null;
}

function hostRow({ created_at, ...row }: HostSelected): HostRow {
  return { ...row, createdAt: created_at };
}

function passes({ name, cpuModel, kernels }: HostsWanted): RawBuilder<boolean> {
  const filters = [
    name === undefined ? [] : sql`config ->> 'name' = ${name}`,
    cpuModel === undefined ? [] : sql`config ->> 'cpu_model' = ${cpuModel}`,
    kernels === undefined ? [] : sql`config ->> 'kernel' = any (${kernels}::text[])`,
  ].flat();
  return filters.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(filters, sql` and `)}`;
}
