import { expandInto, type Model, type Successors, successorsFor } from './model.js';
import { initialState, type Path } from './path.js';
import { equalStates } from './visited-table.js';

/** Replaces the successors from index `first` on by the representatives of their classes. */
export function foldSuccessors(model: Model, out: Successors, first = 0): void {
  if (model.canonical === undefined) return;
  const { words } = model;
  for (let k = first; k < out.count; k++) model.canonical(out.words, k * words);
}

/** The successors of one state, folded if asked for, in place of what `out` held. */
export function expandFolded(
  model: Model,
  fold: boolean,
  states: Int32Array,
  at: number,
  out: Successors,
): void {
  out.count = 0;
  expandInto(model, states, at, out);
  if (fold) foldSuccessors(model, out);
}

/** The representative of the class of `state`, or a copy of it if the model has no symmetry. */
export function canonicalCopy(model: Model, state: Int32Array): Int32Array {
  const copy = state.slice();
  model.canonical?.(copy, 0);
  return copy;
}

/**
 * A real run through a sequence of folded states: from the real initial state, each step takes the first successor whose
 * folded form is the next in the sequence. Sound because the symmetry commutes with `expand`. `folded` holds the states
 * contiguously, the initial one first. Throws if there is no such successor: then the model's symmetry is wrong.
 */
export function unfoldPath(model: Model, folded: Int32Array): Path {
  const { words } = model;
  const out = successorsFor(model, 1);
  const path: number[] = [];
  let state = initialState(model);
  for (let at = words; at < folded.length; at += words) {
    out.count = 0;
    expandInto(model, state, 0, out);
    let next: Int32Array | undefined;
    for (let k = 0; k < out.count && next === undefined; k++) {
      const candidate = out.words.slice(k * words, (k + 1) * words);
      if (!equalStates(canonicalCopy(model, candidate), 0, folded, at, words)) continue;
      next = candidate;
      path.push(k);
    }
    if (next === undefined)
      throw new Error(
        `model error: canonical() does not commute with expand() at ${model.describe(state, 0)}`,
      );
    state = next;
  }
  return path;
}
