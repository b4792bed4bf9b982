import { BYTES_MAX_DEFAULT, type StopReason } from './budget.js';
import { expandInto, type Successors, successorsFor } from './model.js';
import { initialState } from './path.js';
import { alwaysMask, type Findings, type Found, type Run } from './strategy.js';
import { foldSuccessors } from './symmetry.js';
import { VisitedTable } from './visited-table.js';

/**
 * Breadth-first search, level by level. With several workers each state belongs to the worker its hash names: that
 * worker alone stores and expands it, and what others generate of it comes to it through the exchange. So no table
 * is shared and counts, levels and the set of violating states are the same for any number of workers.
 */
export function breadthFirst(run: Run): Findings {
  return new BreadthFirst(run).search();
}

class BreadthFirst {
  private readonly run: Run;
  private readonly table: VisitedTable;
  private readonly out: Successors;
  private readonly inbox: Successors;
  private readonly found: { count: number; depth: number; indices: number[] }[];
  private readonly starts: number[] = [0];
  private readonly depthMax: number;
  private cut: StopReason | null = null;
  private depth = 0;
  private totalStates = 0;
  private head = 0;

  constructor(run: Run) {
    const { model, limits, share } = run;
    this.run = run;
    this.depthMax = limits.depthMax ?? Number.POSITIVE_INFINITY;
    const bytesMax = Math.floor((limits.bytesMax ?? BYTES_MAX_DEFAULT) / share.of);
    this.table = new VisitedTable(model.words, bytesMax, Math.ceil(run.statesExpected / share.of));
    this.out = successorsFor(model, BATCH);
    this.inbox = {
      words: new Int32Array(run.exchange === null ? 0 : INBOX * model.words),
      labels: new Int32Array(0),
      count: 0,
    };
    this.found = model.properties.map(() => ({ count: 0, depth: -1, indices: [] }));
  }

  search(): Findings {
    const { exchange, gauge } = this.run;
    const table = this.table;
    this.insertInitial();
    let widestLevel = 0;
    let levelsComplete = 0;
    let width = exchange === null ? table.count : exchange.endLevel(table.count, this.foundMask());
    while (width > 0 && this.cut === null) {
      widestLevel = Math.max(widestLevel, width);
      gauge.level(this.depth, table.count - (this.starts.at(-1) as number));
      if (this.run.stopAtFirstViolation && this.violated()) {
        this.cut = this.run.budget.stop('firstViolation');
        break;
      }
      const levelEnd = table.count;
      this.starts.push(levelEnd);
      this.limitTable();
      this.expandLevel(levelEnd);
      width = table.count - levelEnd;
      if (this.cut === null) {
        levelsComplete++;
        if (exchange !== null) width = exchange.endLevel(width, this.foundMask());
        if (width < 0) this.cut = this.run.budget.cut();
        else if (table.refused) this.cut = 'depthMax';
      }
      if (width > 0) this.depth++;
    }
    return this.findings(widestLevel, levelsComplete);
  }

  /** The deepest level allowed is still expanded, to learn whether anything lies beyond it, but nothing new may enter. */
  private limitTable(): void {
    const { table } = this;
    table.countMax =
      this.depth >= this.depthMax
        ? table.count
        : (this.run.limits.statesMax ?? Number.MAX_SAFE_INTEGER);
  }

  private insertInitial(): void {
    const { model, fold, exchange } = this.run;
    const state = initialState(model);
    if (fold) model.canonical?.(state, 0);
    if (exchange !== null && !exchange.owns(state)) return;
    this.out.words.set(state);
    this.out.count = 1;
    this.absorb(this.out, 0);
  }

  /** Expands the own states up to index `end`, and takes in what other workers send, until all have done so. */
  private expandLevel(end: number): void {
    const { model, fold, exchange, budget, gauge } = this.run;
    const { words } = model;
    const table = this.table;
    const out = this.out;
    const next = this.depth + 1;
    const receive = (): boolean => this.receive(next);
    while (this.head < end) {
      this.cut ??= budget.cut();
      if (this.cut !== null) return;
      const stop = Math.min(this.head + BATCH, end);
      const states = table.states;
      out.count = 0;
      for (let index = this.head; index < stop; index++) {
        expandInto(model, states, index * words, out);
      }
      this.totalStates += out.count;
      if (fold) foldSuccessors(model, out);
      if (exchange !== null) {
        exchange.route(out, receive);
        exchange.collect(out, BATCH * model.successorsMax - out.count);
      }
      this.absorb(out, next);
      this.head = stop;
      gauge.set(table.count, this.totalStates, table.count - this.head, table.bytes);
    }
    if (exchange === null || this.cut !== null) return;
    exchange.finishLevel(receive);
    this.cut ??= budget.cut();
  }

  /** Takes in what other workers have sent; false when there was nothing. */
  private receive(depth: number): boolean {
    const inbox = this.inbox;
    inbox.count = 0;
    if (this.cut !== null || !this.run.exchange?.collect(inbox, INBOX)) return false;
    this.absorb(inbox, depth);
    return true;
  }

  /** Puts candidates into the table and checks the new ones. Sets the cut when something had to stay outside. */
  private absorb(candidates: Successors, depth: number): void {
    const { model, budget, limits } = this.run;
    const table = this.table;
    const full = table.reserve(candidates.count);
    if (full !== null) {
      this.cut = budget.stop(full);
      return;
    }
    const before = table.count;
    table.insertBatch(candidates.words, candidates.count);
    const { states, words, count } = table;
    for (let index = before; index < count; index++) {
      const mask = model.check(states, index * words);
      if (mask !== 0) this.note(mask, index, depth);
    }
    // At depthMax the level is still finished, so that the transitions counted do not depend on the workers.
    if (table.refused && depth <= this.depthMax) this.cut = budget.stop('statesMax');
    else if (
      this.run.exchange !== null &&
      limits.statesMax !== undefined &&
      this.run.exchange.countStates(count) > limits.statesMax
    ) {
      this.cut = budget.stop('statesMax');
    }
  }

  private note(mask: number, index: number, depth: number): void {
    for (let left = mask; left !== 0; left &= left - 1) {
      const found = this.found[31 - Math.clz32(left & -left)];
      if (found === undefined)
        throw new RangeError('model error: check() names a property that does not exist');
      if (found.depth < 0) found.depth = depth;
      if (found.depth === depth) found.indices.push(index);
      found.count++;
    }
  }

  private foundMask(): number {
    return this.found.reduce((mask, found, p) => (found.count > 0 ? mask | (1 << p) : mask), 0);
  }

  private violated(): boolean {
    const mask = this.run.exchange === null ? this.foundMask() : this.run.exchange.foundMask();
    return (mask & alwaysMask(this.run.model)) !== 0;
  }

  private findings(widestLevel: number, levelsComplete: number): Findings {
    const table = this.table;
    const { words, states } = table;
    const gather = (indices: readonly number[]): Int32Array => {
      const gathered = new Int32Array(indices.length * words);
      for (const [k, index] of indices.entries()) {
        gathered.set(states.subarray(index * words, (index + 1) * words), k * words);
      }
      return gathered;
    };
    const found: Found[] = this.found.map(({ count, depth, indices }) => ({
      count,
      depth,
      states: gather(indices),
      path: null,
      walk: -1,
    }));
    return {
      distinctStates: table.count,
      totalStates: this.totalStates,
      depth: this.depth,
      widestLevel,
      bytes: table.bytes,
      cut: this.cut,
      levelsComplete,
      found,
      levels: { states, count: table.count, starts: this.starts },
    };
  }
}

/**
 * States expanded before their successors are looked up together. Enough to keep many cache misses under way, few
 * enough that the successors stay in the second-level cache.
 */
const BATCH = 256;
/** States taken from other workers at once while there is nothing else to do. */
const INBOX = 1024;
