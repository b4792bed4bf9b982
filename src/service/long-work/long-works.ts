/** What explorations, campaigns and explanations have in common for those who ask for them: adding within limits, reading, waiting. */
import type { Kysely } from 'kysely';
import type { WorkQuery } from '../../../schemas/common.js';
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
import type { Numbered } from '../numbered.js';
import { tryLater } from '../problem-error.js';
import { missing } from '../refusals.js';
import { waitFor } from './waiting.js';

/** How long a request to cancel waits until it is so. */
export const CANCEL_MILLIS = 2000;

/** The name of the token that asks; null where the service has none, and then everybody is one. */
export type Owner = string | null;

export interface WorkKind {
  /** Also what several of them are called, and their address. */
  readonly table: WorkTableName;
  readonly noun: string;
  /** How many may wait or run, in all and of one token. */
  readonly limits: WorkLimits;
  /** After how many seconds it is worth asking again where too many wait. */
  readonly retrySeconds: number;
}

export interface LongItem {
  readonly id: string;
  readonly finished_at?: string;
}

interface NewLongWork<Item> {
  readonly lane: Lane;
  readonly request: object;
  readonly resource: Item;
}

export abstract class LongWorks<Item extends LongItem> {
  protected readonly store: WorkStore;

  /** Nobody waits any longer once `closing` is given. */
  constructor(
    private readonly database: Database,
    private readonly kind: WorkKind,
    private readonly closing: AbortSignal,
    onEnded: OnEnded,
  ) {
    this.store = new WorkStore(database, kind.table, onEnded);
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
    return (await this.store.get(id)) ?? missing(this.kind.noun, id);
  }

  /** Waits for the end, or for what is enough, whichever instance carries it out, at most so long; then it is read again. */
  async wait(
    id: string,
    millis: number,
    isEnough: (item: Item) => boolean = () => false,
  ): Promise<Item> {
    const isOver = (item: Item) => item.finished_at !== undefined || isEnough(item);
    return waitFor(this.database, finished(id), this.closing, millis, () => this.get(id), isOver);
  }

  /** Ends it within moments; one that has ended stays as it is. */
  async cancel(id: string): Promise<Item> {
    const event = eventOf(`${this.kind.noun}.ended`, id, { state: 'cancelled' });
    await this.store.requestCancel(id, event);
    return this.wait(id, CANCEL_MILLIS);
  }

  /** Ends it if need be, and forgets it with all that it found. */
  async delete(id: string): Promise<void> {
    const { finished_at } = await this.get(id);
    if (finished_at === undefined) await this.cancel(id);
    const event = eventOf(`${this.kind.noun}.deleted`, id);
    // A worker that has not stopped by now stops once it hears that the row is gone.
    if (!(await this.store.delete(id, event))) missing(this.kind.noun, id);
  }

  /** Stores what is asked for; refuses it where too much waits or runs. `more` writes in the same transaction. */
  protected async add(
    { lane, request, resource }: NewLongWork<Item>,
    owner: Owner,
    ticket: Ticket | undefined,
    more?: (trx: Kysely<Tables>) => Promise<void>,
  ): Promise<{ reply: Reply<Item>; own: number }> {
    const { table, limits } = this.kind;
    const { id } = resource;
    const reply = { status: 202, headers: { location: `/v1/${table}/${id}` }, body: resource };
    const answer = ticket && storedAnswer(ticket, reply);
    const work = { id, owner: owner ?? '', lane, request, resource, answer };
    // Where nobody can be told from anybody, there is nobody to leave places to.
    const within = owner === null ? { ...limits, own: limits.all } : limits;
    const added = await this.store.add(work, within, more);
    if ('full' in added) throw this.full(added.full);
    return { reply, own: added.own };
  }

  /** What clients read of a row. */
  protected abstract itemOf(row: WorkRow): Item | Promise<Item>;

  private full(which: keyof WorkLimits): Error {
    const { table, limits, retrySeconds } = this.kind;
    const detail =
      which === 'all'
        ? `${limits.all} ${table} are waiting already.`
        : `${limits.own} ${table} of this token are waiting already; others keep their places.`;
    return tryLater('too_many_requests', detail, retrySeconds);
  }
}

/** How work stands, which its row knows better than what has been found. */
export function standingOf({ state, createdAt, finishedAt }: WorkRow): {
  state: WorkState;
  created_at: string;
  finished_at?: string;
} {
  return {
    state,
    created_at: createdAt.toISOString(),
    ...(finishedAt === null ? {} : { finished_at: finishedAt.toISOString() }),
  };
}
