import { expandInto, type Model, successorsFor } from './model.js';
import { initialState, type Path, replay, walkTo } from './path.js';

/**
 * Shortens a run that ends in a state where `check` has a bit of `mask`: first by cutting every loop (the actions between
 * two visits of one state), then by dropping runs of consecutive actions and replaying the rest, long ones first (Zeller's delta
 * debugging). The answer is locally minimal: without any one, or any `RUN_MAX` consecutive actions, it no longer reaches
 * such a state. It need not be a shortest run. Throws when `path` does not end in such a state.
 *
 * @param work the maximum number of replayed actions; when it is reached, the result is the shortest run so far. Counted in
 * actions rather than time, so that the result is the same everywhere.
 */
export function shrink(
  model: Model,
  path: Path,
  mask: number,
  work = Number.POSITIVE_INFINITY,
): Path {
  let best = cutLoops(model, path);
  if ((walkTo(model, best).found & mask) === 0)
    throw new Error('the run to be shrunk does not end in a state with the property');
  const budget = { left: work };
  for (let length = best.length >> 1; length > 0 && budget.left > 0; ) {
    const shorter = withoutRun(model, best, length, mask, budget);
    if (shorter !== null) best = shorter;
    // Long lengths by halving, short ones all: a cycle of a model may have any length.
    if (shorter === null) length = length > 2 * RUN_MAX ? length >> 1 : length - 1;
    else if (length < RUN_MAX) length = Math.min(RUN_MAX, best.length);
  }
  return best;
}

/** Drops the first run of `length` consecutive actions that can be dropped; null when there is none. */
function withoutRun(
  model: Model,
  path: Path,
  length: number,
  mask: number,
  budget: { left: number },
): Path | null {
  const actions = actionsOf(model, path);
  for (let at = 0; at + length <= actions.length && budget.left > 0; at++) {
    budget.left -= actions.length - length;
    const shorter = rerun(model, [...actions.slice(0, at), ...actions.slice(at + length)], mask);
    if (shorter !== null) return cutLoops(model, shorter);
  }
  return null;
}

function cutLoops(model: Model, path: Path): Path {
  const seen = new Map<string, number>([[initialState(model).join(), 0]]);
  let kept: number[] = [];
  const keys: string[] = [initialState(model).join()];
  for (const step of replay(model, path)) {
    const key = step.state.join();
    const before = seen.get(key);
    if (before === undefined) {
      kept.push(step.index);
      keys.push(key);
      seen.set(key, kept.length);
      continue;
    }
    for (const dropped of keys.splice(before + 1)) seen.delete(dropped);
    kept = kept.slice(0, before);
  }
  return kept;
}

const RUN_MAX = 32;

/** When earlier actions change, an action is identified by its label, and among equal labels by its rank. */
interface Action {
  readonly label: number;
  readonly nth: number;
}

function actionsOf(model: Model, path: Path): Action[] {
  const out = successorsFor(model, 1);
  let state = initialState(model);
  return replay(model, path).map((step) => {
    out.count = 0;
    expandInto(model, state, 0, out);
    let nth = 0;
    for (let k = 0; k < step.index; k++) if (out.labels[k] === step.label) nth++;
    state = step.state;
    return { label: step.label, nth };
  });
}

/** The path of these actions up to the first state with the property; null if an action is not possible or no state has it. */
function rerun(model: Model, actions: readonly Action[], mask: number): Path | null {
  const { words } = model;
  const out = successorsFor(model, 1);
  const state = initialState(model);
  const path: number[] = [];
  for (const action of actions) {
    if ((model.check(state, 0) & mask) !== 0) return path;
    out.count = 0;
    expandInto(model, state, 0, out);
    let index = 0;
    for (let left = action.nth; index < out.count; index++)
      if (out.labels[index] === action.label && left-- === 0) break;
    if (index === out.count) return null;
    path.push(index);
    state.set(out.words.subarray(index * words, (index + 1) * words));
  }
  return (model.check(state, 0) & mask) !== 0 ? path : null;
}
