import { expandInto, type Model, type Successors, successorsFor } from './model.js';
import { initialState, type Path } from './path.js';
import { Random } from './prng.js';

/**
 * Takes random walks from the initial state, one after the other: each step takes one of the successors with equal
 * probability, until there is none, `stepsMax` steps are done, or everything in `enough` was found. A walk of any length
 * takes only the memory of its path, which the next walk uses again.
 */
export class Walker {
  /** By property, the number of steps after which the walk first found it; -1 for never. */
  readonly firsts: Int32Array;
  /** The steps of the walk. */
  length = 0;
  private readonly model: Model;
  private readonly stepsMax: number;
  private readonly enough: number;
  private readonly start: Int32Array;
  private readonly state: Int32Array;
  private readonly out: Successors;
  /** Longer than this walk if an earlier one was longer. */
  private readonly indices: number[] = [];

  /** @param enough bits of properties; a walk ends once it has found all of them. 0 never ends it early. */
  constructor(model: Model, stepsMax: number, enough = 0) {
    this.model = model;
    this.stepsMax = stepsMax;
    this.enough = enough;
    this.start = initialState(model);
    this.state = new Int32Array(model.words);
    this.out = successorsFor(model, 1);
    this.firsts = new Int32Array(model.properties.length);
  }

  take(random: Random): void {
    const { model, stepsMax, enough, state, out, firsts, indices } = this;
    const { words } = model;
    state.set(this.start);
    firsts.fill(-1);
    let found = 0;
    let length = 0;
    for (;;) {
      const news = model.check(state, 0) & ~found;
      if (news !== 0) {
        found |= news;
        for (let p = 0; p < firsts.length; p++) if ((news >>> p) & 1) firsts[p] = length;
        if (enough !== 0 && (found & enough) === enough) break;
      }
      if (length >= stepsMax) break;
      out.count = 0;
      expandInto(model, state, 0, out);
      if (out.count === 0) break;
      const index = random.below(out.count);
      indices[length++] = index;
      for (let word = 0; word < words; word++)
        state[word] = out.words[index * words + word] as number;
    }
    this.length = length;
  }

  /** The first steps of the last walk. */
  path(steps = this.length): Path {
    return this.indices.slice(0, Math.min(steps, this.length));
  }
}

/** Which walks to take: those numbered `first` to `first + walks - 1` of a seed. */
export interface WalkRange {
  readonly seed: number;
  readonly first: number;
  readonly walks: number;
  readonly stepsMax: number;
}

/** The findings of a range of walks. Survives structured cloning. */
export interface RangeFindings {
  /** Steps taken, all walks together. */
  readonly steps: number;
  /** How many of the walks found a property. */
  readonly finding: number;
  readonly found: readonly RangeFound[];
}

export interface RangeFound {
  /** How many of the walks found the property. */
  readonly count: number;
  /** The lowest of them, and the number of steps after which it did; -1 if none did. */
  readonly walk: number;
  readonly steps: number;
}

/**
 * Takes a range of walks and counts their findings. Walk i of a seed is the same in any range, so the sums do not depend on
 * the boundaries of the ranges. A walk ends once it has found every property.
 */
export function walkRange(model: Model, range: WalkRange): RangeFindings {
  const walker = new Walker(model, range.stepsMax, everyProperty(model));
  const found = model.properties.map(() => ({ count: 0, walk: -1, steps: -1 }));
  let steps = 0;
  let finding = 0;
  for (let walk = range.first; walk < range.first + range.walks; walk++) {
    walker.take(new Random(range.seed, walk));
    steps += walker.length;
    if (walker.firsts.some((first) => first >= 0)) finding++;
    found.forEach((entry, p) => {
      const first = walker.firsts[p] as number;
      if (first < 0) return;
      entry.count++;
      if (entry.walk >= 0) return;
      entry.walk = walk;
      entry.steps = first;
    });
  }
  return { steps, finding, found };
}

/** One walk of a seed up to where it first found a property; null if it never did. */
export function pathOfWalk(
  model: Model,
  walk: Pick<WalkRange, 'seed' | 'stepsMax'> & { readonly walk: number },
  property: number,
): Path | null {
  const walker = new Walker(model, walk.stepsMax, 1 << property);
  walker.take(new Random(walk.seed, walk.walk));
  const steps = walker.firsts[property] as number;
  return steps < 0 ? null : walker.path(steps);
}

function everyProperty(model: Model): number {
  return 2 ** model.properties.length - 1;
}
