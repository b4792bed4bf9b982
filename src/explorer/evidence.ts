import { actorSets, fewest, pathWithFewest } from './fewest-actors.js';
import { type Layer, STEP_NUMBERS } from './layer.js';
import { expandInto, type Model, type Successors, successorsFor } from './model.js';
import { initialState, type Path, replay } from './path.js';
import type { Levels } from './strategy.js';
import { canonicalCopy, expandFolded, foldSuccessors } from './symmetry.js';
import { VisitedTable } from './visited-table.js';

/** How a property came to be violated or witnessed. */
export interface Evidence {
  /** Steps of every path listed. */
  readonly depth: number;
  /** Every shallower level was searched in full without finding the property: no shorter run exists. */
  readonly minimal: boolean;
  /** All runs of this length were searched as well: `states`, `paths` and `groups` are complete. */
  readonly exhaustive: boolean;
  /** Distinct states of the model, not folded, that have the property at this depth. */
  readonly states: number;
  /** Distinct runs of this length that end in one; null if there were too many states on them to count. */
  readonly paths: number | null;
  /** One for each class of symmetric states: fewest actors first, then the one with the lexicographically first path. */
  readonly groups: readonly EvidenceGroup[];
}

export interface EvidenceGroup {
  /** The state at the end of the first path. */
  readonly state: readonly number[];
  readonly states: number;
  readonly paths: number | null;
  /** At most `pathsMax` of its paths; the first is the lexicographically least of those with the fewest actors. */
  readonly listed: readonly Path[];
  /** Of the first path, if it was asked for and could be found: see `pointOfNoReturn`. */
  readonly pointOfNoReturn?: number | null;
}

export interface EvidenceLimits {
  /** Groups reported; `states` and `paths` count the others too. */
  readonly groupsMax: number;
  /** Paths listed for each group. */
  readonly pathsMax: number;
}

/**
 * All shortest runs to the given states, which lie `depth` levels deep. Searches store no parents, so there are two
 * passes. The first goes backwards through the levels and keeps in each the states with a successor among those kept
 * below. The second goes forwards from the real initial state through kept states and counts runs. The first pass expands
 * no more than the search did; the second works on real states even if the levels hold folded ones, so searches with and
 * without folding give the same evidence.
 */
export function explain(
  model: Model,
  fold: boolean,
  levels: readonly Levels[],
  targets: Int32Array,
  depth: number,
  limits: EvidenceLimits,
): Omit<Evidence, 'minimal' | 'exhaustive'> {
  const kept = keepBackwards(model, fold, levels, targets, depth);
  const layers = countForwards(model, fold, kept);
  if (layers === null) {
    const path = firstPath(model, fold, kept);
    const last = kept[depth] as VisitedTable;
    const state = replay(model, path).at(-1)?.state ?? initialState(model);
    return {
      depth,
      states: last.count,
      paths: null,
      groups: [{ state: [...state], states: 1, paths: null, listed: [path] }],
    };
  }
  const ends = layers[depth] as Layer;
  const groups = new Map<
    string,
    { state: number[]; states: number; paths: number; nodes: number[] }
  >();
  let paths = 0;
  for (let node = 0; node < ends.table.count; node++) {
    const state = ends.table.states.slice(node * model.words, (node + 1) * model.words);
    const key = canonicalCopy(model, state).join();
    const group = groups.get(key) ?? { state: [...state], states: 0, paths: 0, nodes: [] };
    groups.set(key, group);
    group.states++;
    group.paths += ends.paths[node] as number;
    paths += ends.paths[node] as number;
    group.nodes.push(node);
  }
  return {
    depth,
    states: ends.table.count,
    paths,
    groups: inOrder(model, layers, [...groups.values()])
      .slice(0, limits.groupsMax)
      .map(({ nodes, first, ...group }) => ({
        ...group,
        listed: listPaths(layers, depth, nodes, limits.pathsMax, first),
      })),
  };
}

/** The groups with their first path, fewest actors first. */
function inOrder<Group extends { readonly nodes: readonly number[] }>(
  model: Model,
  layers: readonly Layer[],
  groups: readonly Group[],
): (Group & { first: Path | null })[] {
  const sets = actorSets(model, layers);
  if (sets === null) return groups.map((group) => ({ ...group, first: null }));
  return groups
    .map((group) => ({ group, actors: fewest(sets, group.nodes) }))
    .sort((a, b) => a.actors - b.actors)
    .map(({ group, actors }) => ({
      ...group,
      first: pathWithFewest(model, layers, sets, group.nodes, actors),
    }));
}

/** For each level the stored states from which the targets can be reached in the steps that are left. */
function keepBackwards(
  model: Model,
  fold: boolean,
  levels: readonly Levels[],
  targets: Int32Array,
  depth: number,
): VisitedTable[] {
  const { words } = model;
  const out = successorsFor(model, 1);
  let below = new VisitedTable(words, KEPT_BYTES_MAX);
  insertAll(below, targets);
  const kept = [below];
  for (let level = depth - 1; level >= 0; level--) {
    const here = new VisitedTable(words, KEPT_BYTES_MAX);
    for (const { states, count, starts } of levels) {
      const end = starts[level + 1] ?? count;
      for (let index = starts[level] ?? end; index < end; index++) {
        expandFolded(model, fold, states, index * words, out);
        if (!anyIn(below, out)) continue;
        insertOne(here, states, index * words);
      }
    }
    kept.unshift(here);
    below = here;
  }
  return kept;
}

/** Null when the real states on the way are too many to hold. */
function countForwards(model: Model, fold: boolean, kept: readonly VisitedTable[]): Layer[] | null {
  const { words } = model;
  const real = successorsFor(model, 1);
  const folded = successorsFor(model, 1);
  const first: Layer = { table: new VisitedTable(words, KEPT_BYTES_MAX), paths: [1], steps: [[]] };
  insertOne(first.table, initialState(model), 0);
  const layers = [first];
  let nodes = 1;
  for (const next of kept.slice(1)) {
    const above = layers.at(-1) as Layer;
    const layer: Layer = { table: new VisitedTable(words, KEPT_BYTES_MAX), paths: [], steps: [] };
    for (let node = 0; node < above.table.count; node++) {
      expandBoth(model, fold, above.table.states, node * words, real, folded);
      for (let k = 0; k < real.count; k++) {
        if (next.find(folded.words, k * words) < 0) continue;
        if (insertOne(layer.table, real.words, k * words) >= 0) {
          layer.paths.push(0);
          layer.steps.push([]);
          if (++nodes > NODES_MAX) return null;
        }
        const child = layer.table.find(real.words, k * words);
        layer.paths[child] = (layer.paths[child] as number) + (above.paths[node] as number);
        layer.steps[child]?.push(node, k, real.labels[k] as number);
      }
    }
    if (layer.table.count === 0) throw asymmetry(model, above.table.states);
    layers.push(layer);
  }
  return layers;
}

/**
 * Up to `max` paths to the nodes of the last layer, one of them first where that is given. Nodes and steps are in order of
 * discovery, so that the others come in order.
 */
function listPaths(
  layers: readonly Layer[],
  depth: number,
  nodes: readonly number[],
  max: number,
  first: Path | null,
): Path[] {
  const listed: Path[] = first === null ? [] : [first];
  const firstKey = first?.join();
  const extend = (level: number, node: number, tail: readonly number[]): void => {
    if (listed.length >= max) return;
    if (level === 0) {
      if (tail.join() !== firstKey) listed.push(tail);
      return;
    }
    const steps = layers[level]?.steps[node] ?? [];
    for (let i = 0; i < steps.length; i += STEP_NUMBERS)
      extend(level - 1, steps[i] as number, [steps[i + 1] as number, ...tail]);
  };
  for (const node of nodes) extend(depth, node, []);
  return listed;
}

/** The path that at every step takes the first successor leading to a target. */
function firstPath(model: Model, fold: boolean, kept: readonly VisitedTable[]): Path {
  const real = successorsFor(model, 1);
  const folded = successorsFor(model, 1);
  const state = initialState(model);
  return kept.slice(1).map((next) => {
    expandBoth(model, fold, state, 0, real, folded);
    let index = 0;
    while (index < real.count && next.find(folded.words, index * model.words) < 0) index++;
    if (index === real.count) throw asymmetry(model, state);
    state.set(real.words.subarray(index * model.words, (index + 1) * model.words));
    return index;
  });
}

function expandBoth(
  model: Model,
  fold: boolean,
  states: Int32Array,
  at: number,
  real: Successors,
  folded: Successors,
): void {
  real.count = 0;
  expandInto(model, states, at, real);
  folded.count = real.count;
  folded.words.set(real.words.subarray(0, real.count * model.words));
  if (fold) foldSuccessors(model, folded);
}

function asymmetry(model: Model, states: Int32Array): Error {
  return new Error(
    `model error: canonical() does not commute with expand() at ${model.describe(states, 0)}`,
  );
}

function anyIn(table: VisitedTable, out: Successors): boolean {
  for (let k = 0; k < out.count; k++) if (table.find(out.words, k * table.words) >= 0) return true;
  return false;
}

function insertAll(table: VisitedTable, states: Int32Array): void {
  for (let at = 0; at < states.length; at += table.words) insertOne(table, states, at);
}

function insertOne(table: VisitedTable, states: Int32Array, at: number): number {
  const full = table.reserve(1);
  if (full !== null)
    throw new RangeError(`not enough memory to rebuild the counterexamples (${full})`);
  return table.insert(states, at);
}

/** Address space for the states kept per level; committed only as far as used. */
const KEPT_BYTES_MAX = 2 ** 30;
/** The limit on real states held while counting runs. */
const NODES_MAX = 200_000;
