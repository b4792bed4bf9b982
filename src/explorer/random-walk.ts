import type { StopReason } from './budget.js';
import type { Path } from './path.js';
import { Random } from './prng.js';
import { shrink } from './shrink.js';
import { alwaysMask, type Findings, type Found, type Run } from './strategy.js';
import { Walker } from './walk.js';

/**
 * Random walks from the initial state of at most `depthMax` steps. Walk `i` of a seed is the same walk for any number of
 * workers; worker w of n takes the walks w, w+n, … The run reported for a property is that of its lowest walk, shrunk.
 */
export function randomWalks(run: Run, seed: number, walks: number): Findings {
  const { model, budget, gauge, share } = run;
  const stepsMax = run.limits.depthMax ?? STEPS_MAX_DEFAULT;
  const walker = new Walker(model, stepsMax);
  const found = model.properties.map(() => ({
    count: 0,
    depth: -1,
    path: null as Path | null,
    walk: -1,
  }));
  let cut: StopReason | null = null;
  let totalStates = 0;
  let depth = 0;
  for (let walk = share.index; walk < walks && cut === null; walk += share.of) {
    walker.take(new Random(seed, walk));
    totalStates += walker.length;
    depth = Math.max(depth, walker.length);
    let mask = 0;
    walker.firsts.forEach((steps, p) => {
      const entry = found[p];
      if (steps < 0 || entry === undefined) return;
      mask |= 1 << p;
      entry.count++;
      if (entry.path !== null) return;
      entry.path = shrink(model, walker.path(steps), 1 << p);
      entry.depth = entry.path.length;
      entry.walk = walk;
    });
    gauge.set(0, totalStates, 0, 0);
    gauge.level(depth, 0);
    gauge.work(Math.floor(walk / share.of) + 1, Math.ceil((walks - share.index) / share.of));
    // Does not stop the other workers: one of them may have a lower walk.
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

const STEPS_MAX_DEFAULT = 1000;
