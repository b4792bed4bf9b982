import { BYTES_MAX_DEFAULT, type StopReason } from './budget.js';
import { GrowingWords } from './growing-words.js';
import { expandInto, type Successors, successorsFor } from './model.js';
import { initialState, type Path } from './path.js';
import { alwaysMask, type Findings, type Found, type Run } from './strategy.js';
import { foldSuccessors, unfoldPath } from './symmetry.js';
import { VisitedTable } from './visited-table.js';

/**
 * Depth-first search. Complete like breadth-first search, with the same counts of states and transitions, but the run it
 * reports for a property is the first one found, and `depth` is that of the deepest run. The stack holds two words a
 * frame (state, next successor) and re-expands a state when it backtracks, so that runs of millions of steps fit.
 */
export function depthFirst(run: Run): Findings {
  return new DepthFirst(run).search();
}

class DepthFirst {
  private readonly run: Run;
  private readonly table: VisitedTable;
  private readonly stack: GrowingWords;
  private readonly out: Successors;
  private readonly found: { count: number; depth: number; path: Path | null }[];
  private height = 0;
  private totalStates = 0;
  private deepest = 0;
  private cut: StopReason | null = null;

  constructor(run: Run) {
    const bytesMax = run.limits.bytesMax ?? BYTES_MAX_DEFAULT;
    this.run = run;
    this.table = new VisitedTable(run.model.words, bytesMax, run.statesExpected);
    this.table.countMax = run.limits.statesMax ?? Number.MAX_SAFE_INTEGER;
    this.stack = new GrowingWords(STACK_STEP, Math.max(STACK_STEP, Math.floor(bytesMax / 4)));
    this.table.bytesMax -= this.stack.bytes;
    this.out = successorsFor(run.model, 1);
    this.found = run.model.properties.map(() => ({ count: 0, depth: -1, path: null }));
  }

  search(): Findings {
    const { model, fold, budget, gauge } = this.run;
    const table = this.table;
    const state = initialState(model);
    if (fold) model.canonical?.(state, 0);
    this.visit(state, 0);
    for (let turn = 0; this.height > 0; turn++) {
      if (turn % TURNS_PER_CHECK === 0) {
        const stopped = budget.cut();
        if (stopped !== null) {
          this.cut = stopped;
          break;
        }
        gauge.set(table.count, this.totalStates, this.height, this.bytes());
        gauge.level(this.deepest, 0);
      }
      if (!this.turn()) break;
    }
    return {
      distinctStates: table.count,
      totalStates: this.totalStates,
      depth: this.deepest,
      widestLevel: 0,
      bytes: this.bytes(),
      cut: this.cut,
      levelsComplete: 0,
      found: this.found.map((found): Found => ({ ...found, states: new Int32Array(0), walk: -1 })),
      levels: null,
    };
  }

  /** Takes the next step from the top of the stack, or pops it if there is none; false ends the search. */
  private turn(): boolean {
    const { model, fold, limits, budget } = this.run;
    const table = this.table;
    const frame = this.stack.view;
    const top = 2 * (this.height - 1);
    const out = this.out;
    out.count = 0;
    expandInto(model, table.states, (frame[top] as number) * table.words, out);
    const first = frame[top + 1] as number;
    if (first === 0) this.totalStates += out.count;
    if (fold) foldSuccessors(model, out, first);
    const atDepthMax = this.height > (limits.depthMax ?? Number.POSITIVE_INFINITY);
    for (let k = first; k < out.count; k++) {
      if (atDepthMax) {
        // Too deep to enter: harmless only if it has been seen before.
        if (table.find(out.words, k * table.words) < 0) this.cut = 'depthMax';
        continue;
      }
      frame[top + 1] = k + 1;
      if (this.visit(out.words, k * table.words))
        return this.cut === null || this.cut === 'depthMax';
      if (table.refused) this.cut = budget.stop('statesMax');
      if (this.cut !== null && this.cut !== 'depthMax') return false;
    }
    this.height--;
    return true;
  }

  /** Pushes the state if it is new. */
  private visit(states: Int32Array, at: number): boolean {
    const { model, budget, stopAtFirstViolation } = this.run;
    const table = this.table;
    const words = 2 * (this.height + 1);
    const full = this.reserveFrame(words) ?? table.reserve(1);
    if (full !== null) {
      this.cut = budget.stop(full);
      return false;
    }
    const index = table.insert(states, at);
    if (index < 0) return false;
    this.stack.view[words - 2] = index;
    this.stack.view[words - 1] = 0;
    this.height++;
    this.deepest = Math.max(this.deepest, this.height - 1);
    const mask = model.check(table.states, index * table.words);
    if (mask !== 0) this.note(mask);
    if (stopAtFirstViolation && (mask & alwaysMask(model)) !== 0)
      this.cut = budget.stop('firstViolation');
    return true;
  }

  /** Stack and table share `bytesMax`: memory of the stack is subtracted from the table's. */
  private reserveFrame(words: number): 'bytesMax' | 'memory' | null {
    if (words <= this.stack.view.length) return null;
    const bytesMax = this.run.limits.bytesMax ?? BYTES_MAX_DEFAULT;
    const grown = Math.max(words, Math.floor(this.stack.view.length * 1.5));
    if (this.table.bytes + grown * 4 > bytesMax) return 'bytesMax';
    if (!this.stack.reserve(grown)) return 'memory';
    this.table.bytesMax = bytesMax - this.stack.bytes;
    return null;
  }

  private note(mask: number): void {
    for (let left = mask; left !== 0; left &= left - 1) {
      const found = this.found[31 - Math.clz32(left & -left)];
      if (found === undefined)
        throw new RangeError('model error: check() names a property that does not exist');
      found.count++;
      if (found.path !== null) continue;
      found.path = this.path();
      found.depth = found.path.length;
    }
  }

  /** The run on the stack. The successor taken is one less than a frame's "next successor". */
  private path(): Path {
    const frame = this.stack.view;
    if (!this.run.fold)
      return Array.from(
        { length: this.height - 1 },
        (_, step) => (frame[2 * step + 1] as number) - 1,
      );
    const { words, states } = this.table;
    const folded = new Int32Array(this.height * words);
    for (let step = 0; step < this.height; step++) {
      const at = (frame[2 * step] as number) * words;
      folded.set(states.subarray(at, at + words), step * words);
    }
    return unfoldPath(this.run.model, folded);
  }

  private bytes(): number {
    return this.table.bytes + this.stack.bytes;
  }
}

const STACK_STEP = 2 ** 12;
const TURNS_PER_CHECK = 256;
