import { GrowingWords } from './growing-words.js';
import { type Model, successorsFor } from './model.js';
import { initialState, type Path } from './path.js';
import { canonicalCopy, expandFolded, unfoldPath } from './symmetry.js';
import { VisitedTable } from './visited-table.js';

/**
 * All reachable states of a model with all transitions between them, for what a search alone cannot say: from where a
 * violation can still be avoided, and what the whole looks like. States are numbered in breadth-first order, 0 is the initial one.
 */
export interface StateGraph {
  readonly model: Model;
  /** States are representatives of their classes of symmetric ones. */
  readonly fold: boolean;
  readonly table: VisitedTable;
  readonly count: number;
  /** No bound was reached: these are all reachable states, with all their transitions. */
  readonly complete: boolean;
  /** `model.check` of every state. */
  readonly found: Int32Array;
  /** The transitions of state s lead to `targets[starts[s] … starts[s+1]-1]`, in the order of `expand`. */
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  /** The other way round, without those that lead to the state they come from: in ascending order. */
  readonly sourceStarts: Int32Array;
  readonly sources: Int32Array;
  readonly bytes: number;
}

export interface GraphBounds {
  readonly fold: boolean;
  readonly statesMax: number;
  readonly transitionsMax: number;
  /** Of everything kept together. */
  readonly bytesMax: number;
}

/** Up to its bounds: of a larger graph the states nearest to the initial one. Blocks the calling thread. */
export function stateGraph(model: Model, bounds: GraphBounds): StateGraph {
  const { fold, statesMax, transitionsMax, bytesMax } = bounds;
  const { words } = model;
  const table = new VisitedTable(words, bytesMax);
  const starts = new GrowingWords(FIRST_WORDS, statesMax + 1);
  const targets = new GrowingWords(FIRST_WORDS, transitionsMax);
  const out = successorsFor(model, 1);
  const hasRoom = (state: number, more: number): boolean =>
    table.bytes + targets.bytes * ARRAYS_PER_TRANSITION + starts.bytes * ARRAYS_PER_STATE <=
      bytesMax &&
    table.reserve(more) === null &&
    grow(starts, state + 2) &&
    grow(targets, transitions + more);
  const first = initialState(model);
  table.reserve(1);
  table.insert(fold ? canonicalCopy(model, first) : first, 0);
  table.countMax = statesMax;
  let transitions = 0;
  let expanded = 0;
  for (; expanded < table.count && !table.refused; expanded++) {
    expandFolded(model, fold, table.states, expanded * words, out);
    if (!hasRoom(expanded, out.count)) break;
    for (let k = 0; k < out.count; k++) {
      const added = table.insert(out.words, k * words);
      const target = added >= 0 ? added : table.find(out.words, k * words);
      if (target >= 0) targets.view[transitions++] = target;
    }
    starts.view[expanded + 1] = transitions;
  }
  const { count } = table;
  starts.reserve(count + 1);
  starts.view.fill(transitions, expanded + 1, count + 1);
  const forward = {
    starts: starts.view.subarray(0, count + 1),
    targets: targets.view.subarray(0, transitions),
  };
  const backward = reversed(count, forward);
  const found = new Int32Array(count);
  for (let state = 0; state < count; state++)
    found[state] = model.check(table.states, state * words);
  const bytes = table.bytes + (transitions + backward.sources.length + 3 * count) * 4;
  const complete = expanded === count && !table.refused;
  return { model, fold, table, count, complete, found, ...forward, ...backward, bytes };
}

/** The number of a state, folded first where the graph is; -1 if the model never gets there. */
export function numberOf({ model, fold, table }: StateGraph, state: Int32Array): number {
  return table.find(fold ? canonicalCopy(model, state) : state, 0);
}

/** A shortest path to a state. */
export function shortestPath(graph: StateGraph, state: number): Path {
  const { model, fold, table, starts, targets, sourceStarts, sources } = graph;
  const { words } = model;
  const chain = [state];
  // The first to find a state was the one with the lowest number that leads to it.
  for (let at = state; at !== 0; ) {
    at = sources[sourceStarts[at] as number] as number;
    chain.unshift(at);
  }
  if (!fold) {
    return chain.slice(1).map((to, nth) => {
      const first = starts[chain[nth] as number] as number;
      return targets.indexOf(to, first) - first;
    });
  }
  const packed = new Int32Array(chain.length * words);
  for (const [nth, at] of chain.entries()) {
    packed.set(table.states.subarray(at * words, (at + 1) * words), nth * words);
  }
  return unfoldPath(model, packed);
}

function reversed(
  count: number,
  { starts, targets }: Pick<StateGraph, 'starts' | 'targets'>,
): Pick<StateGraph, 'sourceStarts' | 'sources'> {
  const sourceStarts = new Int32Array(count + 1);
  const each = (visit: (from: number, to: number) => void): void => {
    for (let from = 0; from < count; from++) {
      const end = starts[from + 1] as number;
      for (let k = starts[from] as number; k < end; k++) {
        const to = targets[k] as number;
        if (to !== from) visit(from, to);
      }
    }
  };
  each((_, to) => {
    sourceStarts[to + 1] = (sourceStarts[to + 1] as number) + 1;
  });
  for (let state = 0; state < count; state++) {
    sourceStarts[state + 1] = (sourceStarts[state + 1] as number) + (sourceStarts[state] as number);
  }
  const next = sourceStarts.slice();
  const sources = new Int32Array(sourceStarts[count] as number);
  each((from, to) => {
    const at = next[to] as number;
    next[to] = at + 1;
    sources[at] = from;
  });
  return { sourceStarts, sources };
}

/** By a quarter at a time: committed memory is what counts. */
function grow(array: GrowingWords, words: number): boolean {
  if (words <= array.view.length) return true;
  const wanted = Math.min(array.wordsMax, Math.ceil(array.view.length * 1.25));
  return array.reserve(Math.max(words, wanted));
}

const FIRST_WORDS = 2 ** 12;
/** Forward and backward. */
const ARRAYS_PER_TRANSITION = 2;
/** Both starts and a copy, what was found, and what `regionsOf` keeps. */
const ARRAYS_PER_STATE = 6;
