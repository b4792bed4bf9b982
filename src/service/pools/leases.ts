/** Leases: lending runs to machines that ask, and what machines say of them. What follows from it is in lease-rules.ts. */
import type {
  Beat,
  BeatRequest,
  Completion,
  CompletionRequest,
  Lease,
  LeaseRequest,
  Lent,
  Reset,
} from '../../../schemas/lease.js';
import { MACHINES_MAX } from '../../../schemas/pool.js';
import type { Database } from '../../store/database.js';
import { type ClaimedRow, LeaseStore, type LockedRun } from '../../store/lease-store.js';
import { lendable, PoolStore } from '../../store/pool-store.js';
import { type Reply, storedAnswer, type Ticket } from '../idempotency.js';
import type { About } from '../observations/views.js';
import { ProblemError, queryRefused } from '../problem-error.js';
import { missing } from '../refusals.js';
import { runAfter, standingOf } from './lease-rules.js';
import { isLease } from './observed.js';
import {
  beatItem,
  completionItem,
  leaseItem,
  leaseOfRun,
  lentItem,
  nodeHolder,
  runOfLease,
} from './pool-views.js';
import { fullOfMachines } from './pools.js';
import { assertReached, type Reach } from './reach.js';
import { endIfOver, takeResult } from './run-ends.js';
import { WaitingLine } from './waiting-line.js';

/** How many machines may wait at once on one instance; others are told at once that there is nothing. */
const WAITING_MAX = 1000;
/** How often leases that nobody renewed are looked for. */
const SWEEP_MILLIS = 5000;

export class Leases {
  private readonly store: LeaseStore;
  private readonly pools: PoolStore;
  /** By pool; without those where nobody waits. */
  private readonly lines = new Map<string, WaitingLine>();
  private waiting = 0;
  private sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly warn: (error: unknown, what: string) => void,
  ) {
    this.store = new LeaseStore(database);
    this.pools = new PoolStore(database);
  }

  start(): void {
    const sweep = () =>
      this.sweep().catch((error) => this.warn(error, 'leases cannot be looked after'));
    this.sweeping = setInterval(() => void sweep(), SWEEP_MILLIS).unref();
  }

  stop(): void {
    clearInterval(this.sweeping);
  }

  /** Lends a machine the first run that it fits; waits for one at most so long, or until `end`. */
  async claim(
    pool: string,
    { machine, labels }: LeaseRequest,
    reach: Reach,
    ticket: Ticket | undefined,
    waitMillis: number,
    end: AbortSignal,
  ): Promise<Reply<Lent> | undefined> {
    assertReached(reach, pool);
    const seen = await this.pools.seeMachine(pool, machine, labels, MACHINES_MAX);
    if (seen === 'no pool') missing('pool', pool);
    if (seen === 'full') throw fullOfMachines(pool);
    const look = () =>
      end.aborted ? Promise.resolve(undefined) : this.lend(pool, machine, ticket);
    const found = await look();
    if (found !== undefined) return found;
    // There may be one whose lease is over, and nobody has noticed yet.
    const hasMore = (await this.sweep(pool)) > 0;
    if (waitMillis > 0 && this.waiting < WAITING_MAX) {
      return this.wait(pool, look, waitMillis, end);
    }
    return hasMore ? look() : undefined;
  }

  /** The holder renews its lease. */
  async beat(lease: string, { fencing_token: token }: BeatRequest, reach: Reach): Promise<Beat> {
    return this.on(lease, 'run', reach, async (run) => {
      const standing = standingOf(run, token);
      if (standing !== 'held') throw refused(lease, token, standing);
      await run.renew();
      return beatItem(await run.again());
    });
  }

  /** The holder reports the result. A report that comes too late is kept, and changes nothing. */
  async complete(
    lease: string,
    { fencing_token: token, result, error_code: errorCode }: CompletionRequest,
    reach: Reach,
  ): Promise<Completion> {
    return this.on(lease, 'job', reach, async (run) => {
      const worth = await takeResult(run, token, { result, errorCode });
      const attempt = await run.attempt(token);
      if (attempt === undefined || worth === 'stale') throw refused(lease, token, 'stale');
      if (worth === 'other') {
        const detail = `${lease} was completed before, with result ${attempt.result}.`;
        throw new ProblemError('conflict', detail, [
          { pointer: '/result', detail: 'differs from what was reported before' },
        ]);
      }
      return completionItem(run.id, token, attempt);
    });
  }

  /** A machine begins afresh: it carries out nothing. */
  async reset(pool: string, machine: string): Promise<Reset> {
    if ((await this.pools.machine(pool, machine)) === undefined) missing('machine', machine);
    const held = await this.store.runOf(pool, machine);
    if (held === undefined) return { machine, ended: [] };
    const hasEnded = await this.store.locked(held.id, 'job', async (run) => {
      // Meanwhile it may have been given to another.
      if (run.state !== 'leased' || run.machine !== machine) return false;
      await run.end('reset', runAfter(run.fence, run.isCancelled));
      return true;
    });
    return { machine, ended: hasEnded === true ? [leaseOfRun(held.id)] : [] };
  }

  /** How the newest attempt at the run of a lease stands. */
  async get(lease: string): Promise<Lease> {
    const run = await this.store.get(runOfLease(lease));
    if (run === undefined || run.fence === 0) missing('lease', lease);
    const attempt = await this.store.attempt(run.id, run.fence);
    const { state = 'held' } = attempt ?? {};
    // Nobody may have noticed yet that it is over.
    return leaseItem(run, state === 'held' && run.isOver ? 'expired' : state);
  }

  /** What is said of a text that a machine sends of what it was lent for: pool and machine are known. */
  async about(said: About, reach: Reach): Promise<About> {
    const { lease, pool, machine } = said;
    if (lease === undefined || !isLease(lease)) {
      if (reach === undefined) return said;
      throw queryRefused('forbidden', 'lease', 'must be a lease of the pools of this token');
    }
    const run = await this.store.get(runOfLease(lease));
    if (run === undefined || (reach !== undefined && !reach.includes(run.pool))) {
      throw queryRefused('unknown_name', 'lease', `names no lease (${lease})`);
    }
    if (pool !== undefined && pool !== run.pool) {
      throw queryRefused('rule_violated', 'pool', `is not that of the lease (${run.pool})`);
    }
    const machines = await this.store.machinesOf(run.id);
    if (machines[0] === undefined) {
      throw queryRefused('rule_violated', 'lease', 'has been given to no machine yet');
    }
    // A lab that has claimed a node knows by itself which of its machines it was.
    if (machines[0] === nodeHolder(run.id)) return { ...said, pool: run.pool };
    if (machine !== undefined && !machines.includes(machine)) {
      const detail = `has not held the lease (${machines.join(', ')} has)`;
      throw queryRefused('rule_violated', 'machine', detail);
    }
    return { ...said, pool: run.pool, machine: machine ?? machines[0] };
  }

  /** Ends the leases that have not been renewed in time. Returns how many there were. */
  private async sweep(pool?: string): Promise<number> {
    const over = await this.store.over(pool);
    for (const id of over) await this.store.locked(id, 'job', endIfOver);
    return over.length;
  }

  private async wait<Found>(
    pool: string,
    look: () => Promise<Found | undefined>,
    millis: number,
    end: AbortSignal,
  ): Promise<Found | undefined> {
    const hasWork = async (): Promise<boolean> => {
      const { isThere, hasQueued } = await this.pools.work(pool);
      if (!isThere) missing('pool', pool);
      return hasQueued;
    };
    const line =
      this.lines.get(pool) ?? new WaitingLine(this.database.notices, lendable(pool), hasWork);
    this.lines.set(pool, line);
    this.waiting += 1;
    try {
      return await line.wait(look, millis, end);
    } finally {
      this.waiting -= 1;
      if (line.isEmpty) this.lines.delete(pool);
    }
  }

  private async lend(
    pool: string,
    machine: string,
    ticket: Ticket | undefined,
  ): Promise<Reply<Lent> | undefined> {
    const held = await this.store.runOf(pool, machine);
    if (held !== undefined && !held.isOver) throw busy(machine, held.id);
    if (held !== undefined) await this.store.locked(held.id, 'job', endIfOver);
    const replyOf = (row: ClaimedRow): Reply<Lent> => ({
      status: 201,
      headers: { location: `/v1/leases/${leaseOfRun(row.id)}` },
      body: lentItem(row),
    });
    const claimed = await this.store.claim(
      pool,
      machine,
      (row) => ticket && storedAnswer(ticket, replyOf(row)),
    );
    if (claimed === 'busy') throw busy(machine);
    return claimed === 'nothing' ? undefined : replyOf(claimed);
  }

  private async on<Result>(
    lease: string,
    lock: 'run' | 'job',
    reach: Reach,
    act: (run: LockedRun) => Promise<Result>,
  ): Promise<Result> {
    const done = await this.store.locked(runOfLease(lease), lock, (run) => {
      // Not even that it is there is anybody's business.
      if (reach !== undefined && !reach.includes(run.pool)) missing('lease', lease);
      return act(run);
    });
    return done ?? missing('lease', lease);
  }
}

function busy(machine: string, held?: string): ProblemError {
  const what = held === undefined ? 'a lease' : leaseOfRun(held);
  const detail = `${machine} holds ${what} already: complete it, or reset the machine.`;
  return new ProblemError('conflict', detail);
}

function refused(lease: string, token: number, standing: 'stale' | 'expired'): ProblemError {
  if (standing === 'expired') {
    return new ProblemError(
      'lease_expired',
      `${lease} is over: its run goes to another, or has ended.`,
    );
  }
  const detail = 'is not that of the newest attempt';
  return new ProblemError(
    'conflict',
    `${lease} is held with another fencing token than ${token}.`,
    [{ pointer: '/fencing_token', detail }],
  );
}
