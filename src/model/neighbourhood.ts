/** The states within a few steps of one, and the steps between them. */
import { fingerprint } from '../explorer/fingerprint.js';
import { formatPath, type Path, type Place, type Step, successorsOf } from '../explorer/path.js';
import type { MachineModel } from './machine-model.js';
import { type Place as CpuPlace, placeNames, placeOf } from './place.js';
import { choice, foundIn } from './state-browser.js';
import { NEIGHBOURS_MAX, type StoryActor } from './vocabulary.js';

export interface Neighbour {
  readonly id: string;
  readonly path: string;
  /** Steps from the state in the middle. */
  readonly distance: number;
  readonly cpus: CpuPlace[];
  readonly violated: string[];
  readonly state: Int32Array;
}

export interface Neighbourhood {
  /** Nearest first, each state once. */
  readonly nodes: Neighbour[];
  readonly edges: { from: string; to: string; actor: StoryActor; action: string }[];
  /** Whether these are all states within the depth. */
  readonly complete: boolean;
}

export function neighbourhoodOf(
  model: MachineModel,
  path: Path,
  place: Place,
  depth: number,
): Neighbourhood {
  const nodes = new Map<string, Neighbour & { readonly steps: Path }>();
  const edges: Neighbourhood['edges'] = [];
  const add = (steps: Path, state: Int32Array, distance: number): string | null => {
    const id = fingerprint(state);
    if (nodes.has(id)) return id;
    if (nodes.size >= NEIGHBOURS_MAX) return null;
    nodes.set(id, {
      id,
      path: formatPath(steps),
      distance,
      cpus: model.unpacked(state).state.cpus.map((cpu) => placeNames(placeOf(cpu))),
      violated: foundIn(model, 'always', model.check(state, 0)),
      state,
      steps,
    });
    return id;
  };
  let complete = true;
  const goOn = (from: string, steps: Path, before: Int32Array, successors: readonly Step[]) => {
    const { state } = model.unpacked(before);
    const { distance } = nodes.get(from)!;
    for (const step of successors) {
      const to = add([...steps, step.index], step.state, distance + 1);
      const { actor, action } = choice(model, state, steps, step);
      if (to === null) complete = false;
      else edges.push({ from, to, actor, action });
    }
  };
  goOn(add(path, place.state, 0)!, path, place.state, place.successors);
  // A map is gone through in the order of insertion, those that come meanwhile included.
  for (const { id, steps, state, distance } of nodes.values()) {
    if (distance > 0 && distance < depth) goOn(id, steps, state, successorsOf(model, state));
  }
  return { nodes: [...nodes.values()].map(({ steps: _, ...node }) => node), edges, complete };
}
