import { expandInto, type Model, successorsFor } from './model.js';
import { initialState, type Path, replay } from './path.js';

/**
 * The shortest run to the last state of a path through states that the path visits. A random walk visits the same states
 * repeatedly and often passes close to its end. This takes time linear in the states visited; dropping actions one by one
 * takes time quadratic in the length.
 */
export function shortcut(model: Model, path: Path): Path {
  const start = initialState(model);
  const visited = new Map<string, number>([[start.join(), 0]]);
  const states: Int32Array[] = [start];
  let goal = 0;
  for (const { state } of replay(model, path)) {
    const key = state.join();
    goal = visited.get(key) ?? states.length;
    if (goal < states.length) continue;
    visited.set(key, goal);
    states.push(state);
  }
  return pathBetween(model, states, visited, goal);
}

/** Breadth-first from state 0 to state `goal` within the given states. */
function pathBetween(
  model: Model,
  states: readonly Int32Array[],
  numbers: ReadonlyMap<string, number>,
  goal: number,
): Path {
  const { words } = model;
  const out = successorsFor(model, 1);
  const from = new Int32Array(states.length).fill(-1);
  const by = new Int32Array(states.length);
  const queue = [0];
  from[0] = 0;
  for (let next = 0; from[goal] === -1; next++) {
    const at = queue[next];
    if (at === undefined) throw new Error('the path does not lead to its own last state');
    out.count = 0;
    expandInto(model, states[at] as Int32Array, 0, out);
    for (let index = 0; index < out.count; index++) {
      const to = numbers.get(out.words.subarray(index * words, (index + 1) * words).join());
      if (to === undefined || from[to] !== -1) continue;
      from[to] = at;
      by[to] = index;
      queue.push(to);
    }
  }
  const steps: number[] = [];
  for (let at = goal; at !== 0; at = from[at] as number) steps.push(by[at] as number);
  return steps.reverse();
}
