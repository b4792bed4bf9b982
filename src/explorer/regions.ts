import { initialState, type Path, replay } from './path.js';
import { numberOf, type StateGraph } from './state-graph.js';
import { REGIONS } from './verdicts.js';

/**
 * For every state whether the violation of one property can still be avoided. It can where some run never comes to a
 * violation: one that goes on for ever through other states, or ends. In a doomed state every run comes to one. Repeating
 * a step that changes nothing does not count as avoiding it, unless nothing else can be done; going round in a longer circle does.
 */
export interface Regions {
  /** Indices into `REGIONS`. */
  readonly region: Uint8Array;
  /** Steps of the shortest run to a violation; 0 where it is, -1 where there is none. */
  readonly steps: Int32Array;
  readonly bytes: number;
}

/**
 * One pass backwards from the states that violate `model.properties[property]`, in time linear in the transitions. The
 * graph must be complete: what leads out of a part may avoid everything.
 */
export function regionsOf(graph: StateGraph, property: number): Regions {
  if (!graph.complete) throw new RangeError('regions need the complete graph');
  const { count, found, starts, targets, sourceStarts, sources } = graph;
  const region = new Uint8Array(count);
  const steps = new Int32Array(count).fill(-1);
  // Where a run can still go that is not known to end badly.
  const left = new Int32Array(count);
  const queue = new Int32Array(count);
  let end = 0;
  for (let state = 0; state < count; state++) {
    for (let k = starts[state] as number; k < (starts[state + 1] as number); k++) {
      if (targets[k] !== state) left[state] = (left[state] as number) + 1;
    }
    if (((found[state] as number) & (1 << property)) === 0) continue;
    region[state] = VIOLATING;
    steps[state] = 0;
    queue[end++] = state;
  }
  // Breadth-first, so the first to reach a state reaches it by the shortest run.
  for (let next = 0; next < end; next++) {
    const to = queue[next] as number;
    for (let k = sourceStarts[to] as number; k < (sourceStarts[to + 1] as number); k++) {
      const from = sources[k] as number;
      if (steps[from] !== -1) continue;
      steps[from] = (steps[to] as number) + 1;
      queue[end++] = from;
    }
  }
  end = 0;
  for (let state = 0; state < count; state++) if (region[state] === VIOLATING) queue[end++] = state;
  for (let next = 0; next < end; next++) {
    const to = queue[next] as number;
    for (let k = sourceStarts[to] as number; k < (sourceStarts[to + 1] as number); k++) {
      const from = sources[k] as number;
      if (region[from] !== AVOIDABLE) continue;
      left[from] = (left[from] as number) - 1;
      if (left[from] !== 0) continue;
      region[from] = DOOMED;
      queue[end++] = from;
    }
  }
  return { region, steps, bytes: region.byteLength + steps.byteLength };
}

/** The first step of a path, from 1, after which the violation cannot be avoided; 0 where it never could, null where it always can. */
export function pointOfNoReturn(graph: StateGraph, regions: Regions, path: Path): number | null {
  const isLost = (state: Int32Array): boolean =>
    regions.region[numberOf(graph, state)] !== AVOIDABLE;
  if (isLost(initialState(graph.model))) return 0;
  const lost = replay(graph.model, path).findIndex(({ state }) => isLost(state));
  return lost < 0 ? null : lost + 1;
}

const AVOIDABLE = REGIONS.indexOf('avoidable');
const DOOMED = REGIONS.indexOf('doomed');
const VIOLATING = REGIONS.indexOf('violating');
