/** What explorations, campaigns and explanations have in common for those who ask for them: adding within limits, reading, waiting. */
import type { Kysely } from 'kysely';
import type { WorkQuery } from '../../../schemas/common.js';
import type { WorkQueue } from '../../jobs/work-queue.js';
import type { Database } from '../../store/database.js';
import { eventOf } from '../../store/event-store.js';
import type { Lane, Tables, WorkState } from '../../store/tables.js';
import {
  finished,
  type OnEnded,
  type WorkLimits,
  type WorkRow,
  WorkStore,
  type WorkTableName,
} from '../../store/work-store.js';
import { type Reply, storedAnswer, type Ticket } from '../idempotency.js';
import { namesOfKernel } from '../lookups.js';
import type { Meters } from '../metrics/meters.js';
import type { Numbered } from '../numbered.js';
import { tryLater } from '../problem-error.js';
import { missing } from '../refusals.js';
import { waitFor } from './waiting.js';

/** How long a request to cancel waits until it is so. */
export const CANCEL_MILLIS = 2000;

/** The name of the token that asks; null where the service has none, and then everybody is one. */
export type Owner = string | null;

/** How many may wait or run, in all and of one token; and after how many seconds it is worth asking again where too many do. */
const KINDS = {
  explorations: { noun: 'exploration', limits: { all: 64, own: 16 }, retrySeconds: 5 },
  campaigns: { noun: 'campaign', limits: { all: 32, own: 8 }, retrySeconds: 30 },
  explanations: { noun: 'explanation', limits: { all: 64, own: 16 }, retrySeconds: 5 },
} as const;

/** What they and their workers need of the instance. */
export interface Workplace {
  readonly database: Database;
  readonly queue: WorkQueue;
  readonly meters: Meters;
  /** Nobody waits any longer once it is given. */
  readonly closing: AbortSignal;
  /** Told of what ends. */
  readonly ends: Readonly<Record<WorkTableName, OnEnded>>;
}

export interface LongItem {
  readonly id: string;
  readonly finished_at?: string;
}

export abstract class LongWorks<Item extends LongItem> {
  protected readonly store: WorkStore;

  /** The table is also what several of them are called, and their address. */
  constructor(
    private readonly table: WorkTableName,
    protected readonly around: Workplace,
  ) {
    this.store = new WorkStore(around.database, table, around.ends[table]);
  }

  /** The works that follow a number, in the order in which they were asked for or against it, with their numbers. */
  async list(query: WorkQuery, after: number, limit: number): Promise<Numbered<Item>[]> {
    const { sort, state, verdict, scenario, name, kernel, observation } = query;
    const kernels = kernel === undefined ? undefined : namesOfKernel(kernel, '/kernel');
    const wanted = { state, verdict, scenario, name, kernels, observation };
    const rows = await this.store.list(after, limit, sort === 'newest', wanted);
    return Promise.all(rows.map(async (row) => ({ seq: row.seq, item: await this.itemOf(row) })));
  }

  async get(id: string): Promise<Item> {
    return this.itemOf(await this.row(id));
  }

  async row(id: string): Promise<WorkRow> {
    return (await this.store.get(id)) ?? missing(KINDS[this.table].noun, id);
  }

  /** Waits for the end, or for what is enough, whichever instance carries it out, at most so long; then it is read again. */
  async wait(
    id: string,
    millis: number,
    isEnough: (item: Item) => boolean = () => false,
  ): Promise<Item> {
    const isOver = (item: Item) => item.finished_at !== undefined || isEnough(item);
    const { database, closing } = this.around;
    return waitFor(database, finished(id), closing, millis, () => this.get(id), isOver);
  }

  /** Ends it within moments; one that has ended stays as it is. */
  async cancel(id: string): Promise<Item> {
    const event = eventOf(`${KINDS[this.table].noun}.ended`, id, { state: 'cancelled' });
    await this.store.requestCancel(id, event);
    return this.wait(id, CANCEL_MILLIS);
  }

  /** Ends it if need be, and forgets it with all that it found. */
  async delete(id: string): Promise<void> {
    const { finished_at } = await this.get(id);
    if (finished_at === undefined) await this.cancel(id);
    const { noun } = KINDS[this.table];
    const event = eventOf(`${noun}.deleted`, id);
    // A worker that has not stopped by now stops once it hears that the row is gone.
    if (!(await this.store.delete(id, event))) missing(noun, id);
  }

  /** Stores what is asked for; refuses it where too much waits or runs. `more` writes in the same transaction. */
  protected async add(
    { lane, request, resource }: { lane: Lane; request: object; resource: Item },
    owner: Owner,
    ticket: Ticket | undefined,
    more?: (trx: Kysely<Tables>) => Promise<void>,
  ): Promise<{ reply: Reply<Item>; own: number }> {
    const { limits } = KINDS[this.table];
    const { id } = resource;
    const reply = { status: 202, headers: { location: `/v1/${this.table}/${id}` }, body: resource };
    const answer = ticket && storedAnswer(ticket, reply);
    const work = { id, owner: owner ?? '', lane, request, resource, answer };
    // Where nobody can be told from anybody, there is nobody to leave places to.
    const within = owner === null ? { ...limits, own: limits.all } : limits;
    const added = await this.store.add(work, within, more);
    if ('full' in added) throw this.full(added.full);
    return { reply, own: added.own };
  }

  /** What clients read of a row. */
  protected itemOf(row: WorkRow): Item | Promise<Item> {
    return { ...(row.resource as Item), attempts: row.attempts, ...standingOf(row) };
  }

  private full(which: keyof WorkLimits): Error {
    const { limits, retrySeconds } = KINDS[this.table];
    const detail =
      which === 'all'
        ? `${limits.all} ${this.table} are waiting already.`
        : `${limits.own} ${this.table} of this token are waiting already; others keep their places.`;
    return tryLater('too_many_requests', detail, retrySeconds);
  }
}

/** How work stands, which its row knows better than what has been found. */
export function standingOf<State extends WorkState>({ state, createdAt, finishedAt }: WorkRow) {
  return {
    state: state as State,
    created_at: createdAt.toISOString(),
    ...(finishedAt && { finished_at: finishedAt.toISOString() }),
  };
}
