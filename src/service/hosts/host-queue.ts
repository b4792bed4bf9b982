/**
 * Serialises changes to one host and commits them in batches. Queued changes are made one after the other, each on the result
 * of the one before, written together, and only then answered. If another instance was faster, they are made again on its
 * result.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tally } from '../../pmu/stepping/tally.js';
import { isKeyAnswered } from '../../store/database-errors.js';
import type { EventInput } from '../../store/event-store.js';
import type { HostStore, HostWrite } from '../../store/host-store.js';
import type { StoredAnswer } from '../../store/idempotency-store.js';
import { tryLater } from '../problem-error.js';
import { missing } from '../refusals.js';
import type { Host } from './host.js';
import { hostImage, readHost } from './host-image.js';
import { hostSummary } from './host-summary.js';
import { chunkOf, NO_TAIL } from './trace-text.js';

/** How many changes may be queued for one host. */
const WAITING_MAX = 64;
/** A batch that has taken this long is written before more changes are made. */
const BATCH_MILLIS = 5;
/** How often changes are retried because another instance was faster. */
const ATTEMPTS_MAX = 100;

/** What a change leads to: the host with what is written beside it, and the reply. */
interface Done<Reply> {
  readonly host: Host;
  readonly tally: Tally;
  readonly events: readonly EventInput[];
  /** What is to be recorded of its actions. */
  readonly actions: string;
  readonly answer: StoredAnswer | undefined;
  readonly reply: Reply;
}

interface Refused {
  readonly refusal: unknown;
  readonly answer: StoredAnswer | undefined;
}

export type Draft<Reply> = Done<Reply> | Refused;

/** Is told what a stored change counted, and of which host. */
export type OnTally = (tally: Tally, host: Host) => void;

/** Makes a change on a host. Only our own bugs throw. */
type Make<Reply> = (host: Host) => Promise<Draft<Reply>>;

interface Change {
  readonly make: Make<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class HostQueue {
  private readonly waiting: Change[] = [];
  private isBusy = false;
  /** The host as last written or read. */
  private host: Host | undefined;

  constructor(
    private readonly id: string,
    private readonly store: HostStore,
    private readonly onTally: OnTally,
  ) {}

  get isIdle(): boolean {
    return !this.isBusy;
  }

  /** Makes a change when its turn comes, and gives its reply or its refusal once that is stored. */
  async run<Reply>(make: Make<Reply>): Promise<Reply> {
    if (this.waiting.length >= WAITING_MAX) {
      throw tryLater(
        'too_many_requests',
        `${WAITING_MAX} changes to this host are already queued.`,
        1,
      );
    }
    return new Promise<Reply>((resolve, reject) => {
      this.waiting.push({ make, resolve: resolve as Change['resolve'], reject });
      if (!this.isBusy) void this.work();
    });
  }

  /** The host as any instance last wrote it. Changes in progress do not show. */
  async read(): Promise<Host> {
    const known = this.host;
    const found = await this.store.fetch(this.id, known?.version);
    if (found === undefined) return missing('host', this.id);
    if (found === 'unchanged' && known !== undefined) return known;
    const host = readHost(found as Exclude<typeof found, 'unchanged'>);
    if (!this.isBusy && host.version > (this.host?.version ?? -1)) this.host = host;
    return host;
  }

  private async work(): Promise<void> {
    this.isBusy = true;
    let alone = 0;
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, alone > 0 ? 1 : WAITING_MAX);
      alone -= 1;
      try {
        const done = await this.carryOut(batch);
        this.waiting.splice(0, done);
      } catch (error) {
        // It may or may not have been written: the next change reads the host.
        this.host = undefined;
        if (batch.length > 1 && isKeyAnswered(error)) {
          // Another instance has answered one of them; the others do not share its error.
          alone = batch.length;
          continue;
        }
        for (const change of this.waiting.splice(0, batch.length)) change.reject(error);
      }
    }
    this.isBusy = false;
  }

  /** Makes and writes changes from the front of a batch. Returns how many. */
  private async carryOut(batch: readonly Change[]): Promise<number> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      // Back off after losing the race twice.
      if (attempt > 1) await sleep(Math.random() * Math.min(attempt, 10));
      const base = this.host ?? (await this.read());
      const drafts = await makeAll(batch, base);
      const { host, write } = writeOf(base, drafts);
      if (await this.store.commit(write)) {
        this.host = host;
        for (const [at, draft] of drafts.entries()) this.answer(batch[at]!, draft, host);
        return drafts.length;
      }
      this.host = undefined;
    }
    throw tryLater(
      'unavailable',
      'This host is being changed concurrently by other instances; this request changed nothing.',
      1,
    );
  }

  private answer({ resolve, reject }: Change, draft: Draft<unknown>, host: Host): void {
    if ('refusal' in draft) {
      reject(draft.refusal);
      return;
    }
    this.onTally(draft.tally, host);
    resolve(draft.reply);
  }
}

async function makeAll(batch: readonly Change[], base: Host): Promise<Draft<unknown>[]> {
  const start = performance.now();
  const drafts: Draft<unknown>[] = [];
  let host = base;
  for (const change of batch) {
    const draft = await change.make(host);
    drafts.push(draft);
    if ('host' in draft) host = draft.host;
    if (performance.now() - start > BATCH_MILLIS) break;
  }
  return drafts;
}

/** What to write, and the resulting host. */
function writeOf(base: Host, drafts: readonly Draft<unknown>[]): { host: Host; write: HostWrite } {
  const done = drafts.filter((draft) => 'host' in draft);
  const last = done.at(-1)?.host;
  const host = last ?? base;
  const actions = done.flatMap(({ actions }) => actions || []).join(',');
  const chunk = chunkOf(host.tail, host.tally.happened);
  if (chunk !== null) host.tail = { ...NO_TAIL, after: chunk.lastIndex };
  return {
    host,
    write: {
      id: base.id,
      base: base.version,
      version: host.version,
      image: last === undefined ? null : hostImage(host),
      summary: JSON.stringify(hostSummary(host)),
      tail: host.tail.text,
      chunk,
      actions: actions === '' ? null : { lastIndex: host.recorded?.actions ?? 0, actions },
      answers: drafts.flatMap(({ answer }) => answer ?? []),
      events: done.flatMap(({ events }) => events),
    },
  };
}
