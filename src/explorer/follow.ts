/**
 * Whether a recording is one of a run of a model: follows the recording with all states in which a run can be that has shown it
 * so far. Steps that show nothing may be taken anywhere; what a step shows must be what is recorded next.
 *
 * The places of the recording are gone through in order, and at each the states with fewer steps first, so that the run found is
 * a shortest one. Memory holds the states at the few places that are still to be gone through, and how they were reached.
 */
import { Budget, type Limits, type StopReason } from './budget.js';
import { Frontier } from './frontier.js';
import { History, ROOT } from './history.js';
import { expandInto, type Model, type Successors, successorsFor } from './model.js';
import { EMITTED_MAX, isOfState, MISSING, matches, type Observation } from './observation.js';
import { initialState, type Path, replay } from './path.js';

export interface FollowOptions {
  /** `depthMax` has no meaning here. */
  readonly limits: Limits;
  /** The most states at one place of the recording. */
  readonly widthMax?: number;
  /** Not 0 stops the search, which only reads it: whoever gives it may follow something else next. */
  readonly stop?: Int32Array;
  /** The steps that every run begins with, of which nothing was recorded. */
  readonly start?: Path;
  /** Runs may also begin in any of these states, at any place of the recording: what is recorded before it is another story. */
  readonly entrances?: readonly Int32Array[];
  /** Called now and then with the place that was reached. */
  readonly onProgress?: (position: number, states: number) => void;
}

export interface Followed {
  readonly verdict: 'explained' | 'unexplained' | 'undecided';
  /** Why it is undecided. */
  readonly reason: StopReason | null;
  /** Of the run, or of one that comes as far as any does. */
  readonly path: Path;
  /** How many symbols of the recording that run shows; the next is the first that no run shows. */
  readonly position: number;
  /** What runs show there instead, as symbols; at most a few. */
  readonly instead: readonly number[];
  /** States looked at, and the most at one place. */
  readonly states: number;
  readonly widest: number;
}

export const FOLLOW_BYTES_MAX = 2 ** 29;

export function follow(model: Model, recording: Observation, options: FollowOptions): Followed {
  if (model.emits === undefined) throw new TypeError('following needs a model with emits()');
  return new Follower(model, recording, options).follow();
}

class Follower {
  private readonly model: Model;
  private readonly recording: Observation;
  private readonly options: FollowOptions;
  private readonly budget: Budget;
  private readonly bytesMax: number;
  private readonly history = new History();
  /** By place; none for places that no run has reached. */
  private readonly frontiers = new Map<number, Frontier>();
  private readonly spare: Frontier[] = [];
  private readonly out: Successors;
  private readonly shown = new Int32Array(EMITTED_MAX);
  /** How many symbols of the step under examination are in `shown`, and where it comes from. */
  private shownCount = 0;
  private from = ROOT;
  private depth = 0;
  /** Its place among the successors, and its name in paths. */
  private successor = 0;
  private step = 0;
  /** How far runs have come; the node is in an array so that the history can renumber it. */
  private furthest = -1;
  private readonly furthestNode = new Int32Array(1);
  private readonly instead = new Set<number>();
  private states = 0;
  /** Steps looked at, and how many are to be when the limits are asked next. */
  private looked = 0;
  private nextCut = 0;
  private widest = 0;
  private cut: StopReason | null = null;

  constructor(model: Model, recording: Observation, options: FollowOptions) {
    this.model = model;
    this.recording = withoutLastGap(recording);
    this.options = options;
    this.budget = new Budget(options.limits);
    this.bytesMax = options.limits.bytesMax ?? FOLLOW_BYTES_MAX;
    this.out = successorsFor(model, 1);
  }

  follow(): Followed {
    const { length } = this.recording;
    this.frontierAt(0).start(stateAfter(this.model, this.options.start ?? []));
    for (let position = 0; position < length; position++) {
      this.enter(position);
      const frontier = this.frontiers.get(position);
      if (frontier === undefined) continue;
      this.arriveAt(position, frontier);
      this.goThrough(position, frontier);
      if (this.cut !== null) break;
      this.widest = Math.max(this.widest, frontier.count);
      this.frontiers.delete(position);
      frontier.clear();
      this.spare.push(frontier);
      if (this.history.isCrowded) this.forget();
    }
    const last = this.frontiers.get(length);
    if (last !== undefined && this.cut === null) {
      const path = this.history.pathTo(last.nodes[last.nearest()] as number);
      return this.answer('explained', path, length);
    }
    const path = this.history.pathTo(this.furthestNode[0] as number);
    return this.answer(this.cut === null ? 'unexplained' : 'undecided', path, this.furthest);
  }

  private enter(position: number): void {
    for (const state of this.options.entrances ?? []) {
      const frontier = this.frontierAt(position);
      this.cut ??= frontier.table.reserve(1);
      if (this.cut === null) frontier.reach(state, 0, 0, this.history, ROOT, 0, false);
    }
  }

  private answer(verdict: Followed['verdict'], path: Path, position: number): Followed {
    const { cut: reason, states, widest } = this;
    const instead = verdict === 'explained' ? [] : [...this.instead];
    const whole = [...(this.options.start ?? []), ...path];
    return { verdict, reason, path: whole, position, instead, states, widest };
  }

  /** Looks at all states at a place, and at those that more steps that show nothing lead to. */
  private goThrough(position: number, frontier: Frontier): void {
    const { model, out } = this;
    model.expects?.(this.recording, position);
    const { widthMax = Number.POSITIVE_INFINITY } = this.options;
    frontier.begin();
    for (let state = frontier.next(); state >= 0; state = frontier.next()) {
      if (this.looked >= this.nextCut && this.mustStop(position)) return;
      this.states++;
      this.from = frontier.nodes[state] as number;
      this.depth = frontier.depthOf(state) + 1;
      this.lookAt(position, frontier, state);
      if (this.cut !== null) return;
      out.count = 0;
      expandInto(model, frontier.table.states, state * model.words, out);
      this.looked += out.count + 1;
      for (let nth = 0; nth < out.count; nth++) {
        this.shownCount = model.emits!(nth, this.shown);
        this.successor = nth;
        this.step = model.take === undefined ? nth : (out.labels[nth] as number);
        this.fit(position, 0, position);
        if (this.cut !== null) return;
      }
      if (frontier.count > widthMax) this.cut = this.budget.stop('statesMax');
    }
  }

  /** Where the recording says something of the state here, and that is so, it is at the next place too. */
  private lookAt(position: number, frontier: Frontier, state: number): void {
    const { model, recording } = this;
    let place = recording[position] === MISSING ? position + 1 : position;
    if (!isOfState(recording[place])) return;
    const at = state * model.words;
    for (; isOfState(recording[place]); place++) {
      const recorded = recording[place] as number;
      const actual = model.stateSymbol?.(frontier.table.states, at, recorded) ?? MISSING;
      if (actual !== recorded) {
        this.missAt(place, actual);
        return;
      }
    }
    const next = this.frontierAt(place);
    this.cut ??= next.table.reserve(1);
    if (this.cut === null) next.carry(frontier.table.states, at, this.depth - 1, this.from);
  }

  /** Lays what the step shows, from symbol `at` on, beside the recording, and arrives wherever it fits. */
  private fit(origin: number, at: number, position: number): void {
    const { recording, shown, shownCount } = this;
    let place = position;
    for (let nth = at; nth < shownCount; nth++) {
      // The recording may end in the middle of a step.
      if (place === recording.length) break;
      const recorded = recording[place] as number;
      if (recorded === MISSING) {
        this.fit(origin, nth, place + 1);
      } else if (matches(recorded, shown[nth] as number)) {
        place++;
      } else if (isOfState(recorded)) {
        return;
      } else {
        this.missAt(place, shown[nth] as number);
        return;
      }
    }
    this.reach(place, place === origin);
  }

  private reach(place: number, isInside: boolean): void {
    const { out, successor, step, model } = this;
    const frontier = this.frontierAt(place);
    this.cut ??= frontier.table.reserve(1);
    if (this.cut !== null) return;
    const at = successor * model.words;
    frontier.reach(out.words, at, this.depth, this.history, this.from, step, isInside);
  }

  private arriveAt(position: number, frontier: Frontier): void {
    if (position <= this.furthest) return;
    this.furthest = position;
    this.furthestNode[0] = frontier.nodes[frontier.nearest()] as number;
    this.instead.clear();
  }

  /** A step shows another symbol than the one recorded at a place. */
  private missAt(place: number, symbol: number): void {
    if (place > this.furthest) {
      this.furthest = place;
      this.furthestNode[0] = this.from;
      this.instead.clear();
    }
    const isTold = symbol !== MISSING && this.instead.size < INSTEAD_MAX;
    if (place === this.furthest && isTold) this.instead.add(symbol);
  }

  private frontierAt(position: number): Frontier {
    const known = this.frontiers.get(position);
    if (known !== undefined) return known;
    const frontier = this.spare.pop() ?? new Frontier(this.model.words, this.bytesMax);
    this.frontiers.set(position, frontier);
    return frontier;
  }

  private forget(): void {
    const alive = [...this.frontiers.values()].map(({ nodes, count }) => nodes.subarray(0, count));
    this.history.forget([...alive, this.furthestNode]);
  }

  private mustStop(position: number): boolean {
    this.nextCut = this.looked + STEPS_PER_CUT;
    this.options.onProgress?.(position, this.states);
    const { limits, stop } = this.options;
    const { statesMax = Number.POSITIVE_INFINITY } = limits;
    if (stop !== undefined && Atomics.load(stop, 0) !== 0) this.cut = this.budget.stop('cancelled');
    else if (this.states >= statesMax) this.cut = this.budget.stop('statesMax');
    else if (this.bytes() > this.bytesMax) this.cut = this.budget.stop('bytesMax');
    else this.cut = this.budget.cut();
    return this.cut !== null;
  }

  private bytes(): number {
    let bytes = this.history.bytes;
    for (const frontier of this.frontiers.values()) bytes += frontier.bytes;
    for (const frontier of this.spare) bytes += frontier.bytes;
    return bytes;
  }
}

function stateAfter(model: Model, path: Path): Int32Array {
  return replay(model, path).at(-1)?.state ?? initialState(model);
}

/** What may be missing at the end makes no difference. */
function withoutLastGap(recording: Observation): Observation {
  let { length } = recording;
  while (length > 0 && recording[length - 1] === MISSING) length--;
  return recording.subarray(0, length);
}

/** A step takes some microseconds. */
const STEPS_PER_CUT = 4096;
const INSTEAD_MAX = 16;
