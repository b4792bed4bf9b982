import type { Cut } from './budget.js';
import { expandInto, type Model, type Successors, successorsFor } from './model.js';
import { initialState, type Path } from './path.js';
import { Random } from './prng.js';
import { shrink } from './shrink.js';
import { alwaysMask, type Findings, type Found, type Run } from './strategy.js';

/**
 * Random walks from the initial state: each step takes one of the successors with equal chance, until there is none
 * or `depthMax` steps are done. Walk `i` of a seed is the same walk for any number of workers; worker w of n takes
 * the walks w, w+n, … The run reported for a property is that of its lowest walk, shrunk.
 */
export function randomWalks(run: Run, seed: number, walks: number): Findings {
  const { model, budget, gauge, share } = run;
  const stepsMax = run.limits.depthMax ?? STEPS_MAX_DEFAULT;
  const out = successorsFor(model, 1);
  const found = model.properties.map(() => ({
    count: 0,
    depth: -1,
    path: null as Path | null,
    walk: -1,
  }));
  let cut: Cut | null = null;
  let totalStates = 0;
  let depth = 0;
  for (let walk = share.index; walk < walks && cut === null; walk += share.of) {
    const { path, firsts } = takeWalk(model, new Random(seed, walk), stepsMax, out);
    totalStates += path.length;
    depth = Math.max(depth, path.length);
    let mask = 0;
    firsts.forEach((steps, p) => {
      const entry = found[p];
      if (steps < 0 || entry === undefined) return;
      mask |= 1 << p;
      entry.count++;
      if (entry.path !== null) return;
      entry.path = shrink(model, path.slice(0, steps), 1 << p);
      entry.depth = entry.path.length;
      entry.walk = walk;
    });
    gauge.set(0, totalStates, 0, 0);
    gauge.level(depth, 0);
    gauge.work(Math.floor(walk / share.of) + 1, Math.ceil((walks - share.index) / share.of));
    // Not for the other workers: theirs may be the lower walk.
    if (run.stopAtFirstViolation && (mask & alwaysMask(model)) !== 0) cut = 'firstViolation';
    else cut = budget.cut();
  }
  return {
    distinctStates: null,
    totalStates,
    depth,
    widestLevel: 0,
    bytes: 0,
    cut: cut ?? 'walks',
    levelsComplete: 0,
    found: found.map((entry): Found => ({ ...entry, states: new Int32Array(0) })),
    levels: null,
  };
}

/** One walk, and for each property the steps after which it was first found, -1 for never. */
function takeWalk(
  model: Model,
  random: Random,
  stepsMax: number,
  out: Successors,
): { path: Path; firsts: readonly number[] } {
  const { words } = model;
  const state = initialState(model);
  const path: number[] = [];
  const firsts = model.properties.map(() => -1);
  for (;;) {
    const mask = model.check(state, 0);
    if (mask !== 0)
      firsts.forEach((first, p) => {
        if (first < 0 && (mask >>> p) & 1) firsts[p] = path.length;
      });
    if (path.length >= stepsMax) return { path, firsts };
    out.count = 0;
    expandInto(model, state, 0, out);
    if (out.count === 0) return { path, firsts };
    const index = random.below(out.count);
    path.push(index);
    state.set(out.words.subarray(index * words, (index + 1) * words));
  }
}

const STEPS_MAX_DEFAULT = 1000;
