/**
 * The lease protocol as a transition system for our own explorer: machines, instances of the service, and the rows of the runs
 * of one job. It asks the rules of the service (lease-rules.ts) and has the states of the tables.
 *
 * Messages need no queue: whatever a machine has been given it may say at any time from then on, so that what it says may be
 * lost, late, doubled, or overtake something else. An instance carries out a request in two steps, as a transaction does: it
 * locks rows and reads them, then it writes and commits, or dies with all of it. Time passes only where it matters: a lease
 * that is not renewed is over at some point.
 */
import type { Model, Successors } from '../../../src/explorer/model.js';
import { runAfter, standingOf, worthOf } from '../../../src/service/pools/lease-rules.js';
import {
  ATTEMPT_STATES,
  type AttemptState,
  RUN_STATES,
  type RunResult,
} from '../../../src/store/vocabulary.js';

/** How large the world is, and what can be taken away to see that it is needed. */
export interface LeaseWorld {
  readonly runs: number;
  readonly machines: 1 | 2;
  readonly attempts: number;
  /** With one, every request is carried out before the next. */
  readonly instances: 1 | 2;
  /** What a machine says counts only with the token of the newest lease. */
  readonly fence: boolean;
  /** An instance keeps others from the rows that it has read. */
  readonly locks: boolean;
  /** The database refuses a machine a second lease. */
  readonly index: boolean;
}

export const PROPERTIES = [
  { id: 'one-holder', kind: 'always' },
  { id: 'none-lost', kind: 'always' },
  { id: 'counted-once', kind: 'always' },
  { id: 'own-results', kind: 'always' },
  { id: 'one-lease-per-machine', kind: 'always' },
  { id: 'all-ended', kind: 'sometimes' },
  { id: 'tried-again-and-passed', kind: 'sometimes' },
  { id: 'late-report-kept', kind: 'sometimes' },
  { id: 'cancelled-while-held', kind: 'sometimes' },
] as const;
const [HOLDER, LOST, COUNTED, OWN, ONE, ENDED, AGAIN, LATE, CANCELLED_HELD] = PROPERTIES.map(
  (_, p) => 1 << p,
) as [number, number, number, number, number, number, number, number, number];

const RESULTS: readonly (RunResult | null)[] = [null, 'pass', 'error'];
const OPS = ['none', 'claim', 'beat', 'complete', 'expire', 'reset', 'cancel'] as const;
type Op = (typeof OPS)[number];
const NONE = 0;
/** Whoever ends a lease locks the job and then the run; who cancels, the job and the runs that wait. */
const LOCKS_JOB = OPS.map((op) => ['complete', 'expire', 'reset', 'cancel'].includes(op));

const [QUEUED, LEASED, FINISHED, CANCELLED] = RUN_STATES.map((_, n) => n) as [
  number,
  number,
  number,
  number,
];
const HELD = ATTEMPT_STATES.indexOf('held');
const COMPLETED = ATTEMPT_STATES.indexOf('completed');

type State = Int32Array;

const many = <Item>(count: number, make: (at: number) => Item): Item[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** Numbers of a few bits each, packed into words; none crosses the end of one. */
class Layout {
  private readonly places: { word: number; shift: number; mask: number }[] = [];
  words = 1;
  private used = 0;

  field(bits: number): number {
    if (this.used + bits > 31) {
      this.words += 1;
      this.used = 0;
    }
    this.places.push({ word: this.words - 1, shift: this.used, mask: (1 << bits) - 1 });
    this.used += bits;
    return this.places.length - 1;
  }

  read(states: Int32Array, at: number): State {
    const { places } = this;
    const state = new Int32Array(places.length);
    for (let f = 0; f < places.length; f += 1) {
      const { word, shift, mask } = places[f]!;
      state[f] = (states[at + word]! >>> shift) & mask;
    }
    return state;
  }

  write(state: State, out: Int32Array, at: number): void {
    out.fill(0, at, at + this.words);
    for (let f = 0; f < this.places.length; f += 1) {
      const { word, shift } = this.places[f]!;
      out[at + word] = out[at + word]! | (state[f]! << shift);
    }
  }
}

export class LeaseModel implements Model {
  readonly successorsMax = 64;
  readonly properties = PROPERTIES;
  readonly words: number;
  private readonly world: LeaseWorld;
  private readonly layout = new Layout();
  private readonly cancelled = this.layout.field(1);
  private readonly runs;
  private readonly attempts;
  private readonly instances;

  constructor(world: LeaseWorld) {
    this.world = world;
    const { layout } = this;
    this.runs = many(world.runs, () => ({
      state: layout.field(2),
      fence: layout.field(2),
      /** From 1; 0 is nobody. */
      machine: layout.field(2),
      over: layout.field(1),
      /** How often it has been given a result. */
      counted: layout.field(2),
    }));
    this.attempts = this.runs.map(() =>
      many(world.attempts, () => ({
        state: layout.field(2),
        result: layout.field(2),
        /** The machines that have been told that the lease is theirs, as a set, and those that have heard it. */
        granted: layout.field(2),
        heard: layout.field(2),
        /** What came of it on the machine. */
        outcome: layout.field(2),
      })),
    );
    this.instances = many(world.instances, () => ({
      op: layout.field(3),
      run: layout.field(1),
      machine: layout.field(2),
      token: layout.field(2),
      /** As it was read. */
      state: layout.field(2),
      fence: layout.field(2),
      over: layout.field(1),
      cancelled: layout.field(1),
    }));
    this.words = layout.words;
  }

  initial(out: Int32Array): void {
    out.fill(0, 0, this.words);
  }

  expand(states: Int32Array, at: number, out: Successors): void {
    const state = this.layout.read(states, at);
    const add = (change: (next: State) => void): void => {
      const next = state.slice();
      change(next);
      this.settle(next);
      this.layout.write(next, out.words, out.count * this.words);
      out.labels[out.count] = 0;
      out.count += 1;
    };
    for (let r = 0; r < this.runs.length; r += 1) this.outside(state, r, add);
    const idle = this.instances.findIndex(({ op }) => state[op] === NONE);
    // Instances are alike: the first idle one stands for all.
    if (idle >= 0) this.begin(state, idle, add);
    if (this.world.instances === 1) return;
    for (let i = 0; i < this.instances.length; i += 1) {
      if (state[this.instances[i]!.op] === NONE) continue;
      add((next) => this.commit(next, i));
      // It dies.
      add((next) => this.rest(next, i));
    }
  }

  /** One instance that nobody disturbs commits at once. */
  private settle(next: State): void {
    if (this.world.instances === 1 && next[this.instances[0]!.op] !== NONE) this.commit(next, 0);
  }

  /** What happens on machines, and to time. */
  private outside(state: State, r: number, add: Add): void {
    const run = this.runs[r]!;
    if (state[run.state] === LEASED && state[run.over] === 0) {
      add((next) => {
        next[run.over] = 1;
      });
    }
    for (const { granted, heard, outcome } of this.attempts[r]!) {
      const unheard = state[granted]! & ~state[heard]!;
      for (let m = 1; m <= 2; m += 1) {
        if ((unheard & m) === 0) continue;
        add((next) => {
          next[heard] = next[heard]! | m;
        });
      }
      if (state[heard] === 0 || state[outcome] !== 0) continue;
      for (const became of [1, 2]) {
        add((next) => {
          next[outcome] = became;
        });
      }
    }
  }

  /** An instance takes up a request: of a machine, of a user who cancels, or of its own clock. */
  private begin(state: State, i: number, add: Add): void {
    const at = this.instances[i]!;
    const open = (op: Op, r: number, machine = 0, token = 0): void => {
      const code = OPS.indexOf(op);
      if (this.isLocked(state, code, r)) return;
      const run = this.runs[r]!;
      add((next) => {
        next[at.op] = code;
        next[at.run] = r;
        next[at.machine] = machine;
        next[at.token] = token;
        next[at.state] = state[run.state]!;
        next[at.fence] = state[run.fence]!;
        next[at.over] = state[run.over]!;
        next[at.cancelled] = state[this.cancelled]!;
      });
    };
    for (let m = 1; m <= this.world.machines; m += 1) {
      const held = this.runs.findIndex((_, r) => this.isHeldBy(state, r, m));
      if (held >= 0) {
        open('reset', held, m);
        continue;
      }
      // SKIP LOCKED: the first that nobody has locked.
      const claim = OPS.indexOf('claim');
      const free = this.runs.findIndex(
        (run, r) =>
          state[run.state] === QUEUED &&
          state[run.fence]! < this.world.attempts &&
          !this.isLocked(state, claim, r),
      );
      if (free >= 0) open('claim', free, m);
    }
    for (const [r, run] of this.runs.entries()) {
      if (state[run.state] === LEASED && state[run.over] === 1) open('expire', r);
      for (const [n, { heard, outcome }] of this.attempts[r]!.entries()) {
        if (state[heard] === 0) continue;
        open('beat', r, 0, n + 1);
        if (state[outcome] !== 0) open('complete', r, 0, n + 1);
      }
    }
    if (state[this.cancelled] === 0) open('cancel', 0);
  }

  /** Writes what follows from what was read. */
  private commit(next: State, i: number): void {
    const at = this.instances[i]!;
    const r = next[at.run]!;
    const run = this.runs[r]!;
    const fence = next[at.fence]!;
    const asRead = { state: RUN_STATES[next[at.state]!]!, fence, isOver: next[at.over] === 1 };
    const isCancelled = next[at.cancelled] === 1;
    // Without a fence everybody speaks for the newest lease.
    const token = this.world.fence ? next[at.token]! : fence;
    const end = (ending: AttemptState, result?: RunResult): void => {
      next[this.attempts[r]![fence - 1]!.state] = ATTEMPT_STATES.indexOf(ending);
      const after = runAfter(fence, isCancelled, result, this.world.attempts);
      next[run.state] = RUN_STATES.indexOf(after.state);
      next[run.over] = 0;
      next[run.machine] = 0;
      if (after.result !== null) next[run.counted] = Math.min(3, next[run.counted]! + 1);
    };
    const { op: code, machine: of, token: shown } = at;
    switch (OPS[next[code]!]) {
      case 'claim': {
        const machine = next[of]!;
        if (this.world.index && this.runs.some((_, one) => this.isHeldBy(next, one, machine)))
          break;
        next[run.state] = LEASED;
        next[run.fence] = fence + 1;
        next[run.machine] = machine;
        next[run.over] = 0;
        const attempt = this.attempts[r]![fence]!;
        next[attempt.state] = HELD;
        next[attempt.granted] = next[attempt.granted]! | machine;
        break;
      }
      case 'beat':
        if (standingOf(asRead, token) === 'held') next[run.over] = 0;
        break;
      case 'complete': {
        const attempt = this.attempts[r]![token - 1]!;
        const result = RESULTS[next[this.attempts[r]![next[shown]! - 1]!.outcome]!]!;
        const kept = RESULTS[next[attempt.result]!]!;
        const worth = worthOf(asRead, { result: kept }, token, result);
        if (worth === 'counts' || worth === 'late') next[attempt.result] = RESULTS.indexOf(result);
        if (worth === 'counts') end('completed', result);
        if (worth === 'late' && token === fence && asRead.state === 'leased') end('expired');
        break;
      }
      case 'expire':
        if (asRead.state === 'leased' && asRead.isOver) end('expired');
        break;
      case 'reset':
        if (asRead.state === 'leased') end('reset');
        break;
      case 'cancel':
        next[this.cancelled] = 1;
        for (const { state } of this.runs) if (next[state] === QUEUED) next[state] = CANCELLED;
        break;
    }
    this.rest(next, i);
  }

  private rest(next: State, i: number): void {
    const at = this.instances[i]!;
    for (let f = at.op; f <= at.cancelled; f += 1) next[f] = 0;
  }

  private isHeldBy(state: State, r: number, machine: number): boolean {
    const run = this.runs[r]!;
    return state[run.state] === LEASED && state[run.machine] === machine;
  }

  private isLocked(state: State, op: number, r: number): boolean {
    if (!this.world.locks) return false;
    const cancel = OPS.indexOf('cancel');
    const waits = (run: number): boolean => state[this.runs[run]!.state] === QUEUED;
    return this.instances.some((at) => {
      const other = state[at.op]!;
      if (other === NONE) return false;
      if (LOCKS_JOB[other] && LOCKS_JOB[op]) return true;
      if (op === cancel) return waits(state[at.run]!);
      return other === cancel ? waits(r) : state[at.run] === r;
    });
  }

  check(states: Int32Array, at: number): number {
    const state = this.layout.read(states, at);
    let found = ENDED;
    let leases = 0;
    for (const [r, run] of this.runs.entries()) {
      const stands = state[run.state]!;
      if (this.hasTwoHolders(state, r)) found |= HOLDER;
      if (!this.isWhole(state, r)) found |= LOST;
      if (state[run.counted]! > 1) found |= COUNTED;
      if (stands === QUEUED || stands === LEASED) found &= ~ENDED;
      if (stands === LEASED) {
        if (leases & (1 << state[run.machine]!)) found |= ONE;
        leases |= 1 << state[run.machine]!;
        if (state[this.cancelled] === 1) found |= CANCELLED_HELD;
      }
      for (const [n, attempt] of this.attempts[r]!.entries()) {
        const result = state[attempt.result]!;
        if (result !== 0 && result !== state[attempt.outcome]) found |= OWN;
        const ending = state[attempt.state]!;
        if (result !== 0 && ending !== HELD && ending !== COMPLETED) found |= LATE;
        if (n > 0 && result === 1 && ending === COMPLETED) found |= AGAIN;
      }
    }
    return found;
  }

  /** Whether two machines have heard that they hold a run, and both would be told to go on if they said that they live. */
  private hasTwoHolders(state: State, r: number): boolean {
    const run = this.runs[r]!;
    if (state[run.state] !== LEASED) return false;
    const fence = state[run.fence]!;
    const place = { state: 'leased', fence, isOver: state[run.over] === 1 } as const;
    let holders = 0;
    for (const [n, { heard }] of this.attempts[r]!.entries()) {
      if (state[heard] === 0) continue;
      if (standingOf(place, this.world.fence ? n + 1 : fence) !== 'held') continue;
      holders |= state[heard]!;
    }
    return holders === 3;
  }

  /** It waits, or one attempt at it is held, or it has one result, or none because it was cancelled. */
  private isWhole(state: State, r: number): boolean {
    const run = this.runs[r]!;
    const fence = state[run.fence]!;
    const begun = this.attempts[r]!.slice(0, fence);
    const held = begun.filter((attempt) => state[attempt.state] === HELD).length;
    const counted = state[run.counted]!;
    switch (state[run.state]) {
      case LEASED:
        return held === 1 && state[begun[fence - 1]!.state] === HELD && counted === 0;
      case FINISHED:
        return held === 0 && counted === 1;
      case CANCELLED:
        return held === 0 && counted === 0 && state[this.cancelled] === 1;
      default:
        return held === 0 && counted === 0;
    }
  }

  describe(states: Int32Array, at: number, label?: number): string {
    if (label !== undefined) return 'a step';
    const state = this.layout.read(states, at);
    const runs = this.runs.map(({ state: stands, fence, machine, over }, r) => {
      const attempts = this.attempts[r]!.slice(0, state[fence]).map(
        ({ state: how, heard }, n) =>
          `${n + 1} ${ATTEMPT_STATES[state[how]!]} heard by ${state[heard]}`,
      );
      const isOver = state[over] === 1 ? ', over' : '';
      return `run ${r} ${RUN_STATES[state[stands]!]}, machine ${state[machine]}${isOver} (${attempts.join(', ')})`;
    });
    const busy = this.instances.map(({ op, run }) => `${OPS[state[op]!]} ${state[run]}`);
    return [...runs, ...busy].join('; ');
  }
}

type Add = (change: (next: State) => void) => void;
