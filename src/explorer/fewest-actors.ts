/**
 * Which of equally short runs to show first: the one in which the fewest actors take part. Sets of actors are bits.
 */
import { type Layer, STEP_NUMBERS } from './layer.js';
import type { Model } from './model.js';
import type { Path } from './path.js';

/** By layer and node: the sets of actors with which a run can come there, none of them part of another. */
type ActorSets = readonly (readonly (readonly number[])[])[];

/** Null when the model does not say who acts. */
export function actorSets(model: Model, layers: readonly Layer[]): ActorSets | null {
  if (model.actorOf === undefined) return null;
  const sets: number[][][] = [[[0]]];
  for (const layer of layers.slice(1)) {
    const above = sets.at(-1) as number[][];
    sets.push(
      layer.steps.map((steps) => {
        const here: number[] = [];
        for (let at = 0; at < steps.length; at += STEP_NUMBERS) {
          const actor = bitOf(model, steps[at + 2] as number);
          for (const set of above[steps[at] as number] as number[]) add(here, set | actor);
        }
        return here;
      }),
    );
  }
  return sets;
}

/** How many actors it takes at least to come to one of the nodes of the last layer. */
export function fewest(sets: ActorSets, nodes: readonly number[]): number {
  const last = sets.at(-1) as ActorSets[number];
  return Math.min(...nodes.flatMap((node) => (last[node] as number[]).map(bitsIn)));
}

/** The least path to one of the nodes that takes so many actors. */
export function pathWithFewest(
  model: Model,
  layers: readonly Layer[],
  sets: ActorSets,
  nodes: readonly number[],
  actors: number,
): Path {
  const last = sets.at(-1) as ActorSets[number];
  const paths = nodes.flatMap((node) =>
    (last[node] as number[])
      .filter((set) => bitsIn(set) === actors)
      .map((set) => pathWithin(model, layers, node, set)),
  );
  return paths.reduce((least, path) => (isBefore(path, least) ? path : least));
}

/** The least path to a node of the last layer on which nobody acts but the actors of a set. */
function pathWithin(model: Model, layers: readonly Layer[], node: number, within: number): Path {
  // Backwards: which nodes lead there, and by which least step.
  const best = layers.map(() => new Map<number, { index: number; to: number }>());
  let goals: Iterable<number> = [node];
  for (let level = layers.length - 1; level > 0; level--) {
    const above = best[level - 1] as Map<number, { index: number; to: number }>;
    for (const to of goals) {
      const steps = (layers[level] as Layer).steps[to] as number[];
      for (let at = 0; at < steps.length; at += STEP_NUMBERS) {
        const [from, index, label] = steps.slice(at, at + STEP_NUMBERS) as [number, number, number];
        const known = above.get(from);
        const isAllowed = (bitOf(model, label) & ~within) === 0;
        if (isAllowed && (known === undefined || index < known.index))
          above.set(from, { index, to });
      }
    }
    goals = above.keys();
  }
  const path: number[] = [];
  let from = 0;
  for (const steps of best.slice(0, -1)) {
    const { index, to } = steps.get(from) as { index: number; to: number };
    path.push(index);
    from = to;
  }
  return path;
}

function bitOf(model: Model, label: number): number {
  const actor = model.actorOf?.(label) ?? -1;
  return actor < 0 ? 0 : 1 << actor;
}

/** Adds a set unless one that is part of it is there; drops those that it is part of. */
function add(sets: number[], set: number): void {
  if (sets.some((other) => (other & ~set) === 0)) return;
  for (let at = sets.length - 1; at >= 0; at--)
    if ((set & ~(sets[at] as number)) === 0) sets.splice(at, 1);
  sets.push(set);
}

function bitsIn(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function isBefore(path: Path, other: Path): boolean {
  const at = path.findIndex((step, nth) => step !== other[nth]);
  return at >= 0 && (path[at] as number) < (other[at] as number);
}
