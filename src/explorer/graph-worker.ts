/** The thread of whole graphs: builds them, keeps the last few, and answers questions about them. */
import { answerTasks } from './answer-tasks.js';
import { toAut } from './aut.js';
import type { AskedGraph, GraphAnswer, GraphTask, Standing } from './graph-thread.js';
import { loadModel } from './model.js';
import { quotientOf } from './quotient.js';
import { type Regions, regionsOf } from './regions.js';
import { numberOf, type StateGraph, stateGraph } from './state-graph.js';
import { REGIONS } from './verdicts.js';

interface Kept {
  readonly graph: StateGraph;
  /** By property: those that were asked for. */
  readonly judged: Map<number, Regions>;
}

/** By what was asked for, the last used at the end. */
const kept = new Map<string, Kept>();

answerTasks<GraphTask, GraphAnswer>(async (task) => {
  const asked = await graphOf(task);
  const { graph } = asked;
  const regions = regionsIn(asked, task.property);
  if (task.kind === 'standings')
    return regions && task.states.map((state) => standingOf(graph, regions, state));
  if (task.kind === 'aut') return toAut(graph);
  const { model } = graph;
  const placeOf = model.placeOf?.bind(model);
  if (placeOf === undefined) throw new TypeError('a map needs a model with placeOf()');
  return quotientOf(graph, regions, (states, at) => placeOf(states, at, task.part), task.nodesMax);
});

function standingOf(graph: StateGraph, regions: Regions, state: Int32Array): Standing {
  const number = numberOf(graph, state);
  if (number < 0) throw new RangeError('a state that the model does not reach');
  const steps = regions.steps[number] as number;
  return {
    region: REGIONS[regions.region[number] as number] as Standing['region'],
    steps: steps < 0 ? null : steps,
  };
}

async function graphOf({ source, bounds }: AskedGraph): Promise<Kept> {
  const key = JSON.stringify({ source, bounds });
  const known = kept.get(key);
  kept.delete(key);
  // Beside the next one there is room for half as much of those before it.
  if (known === undefined) forgetDownTo(bounds.bytesMax / 2);
  const asked = known ?? {
    graph: stateGraph(await loadModel(source), bounds),
    judged: new Map<number, Regions>(),
  };
  kept.set(key, asked);
  return asked;
}

/** Null where the graph is not complete, or there is nothing to judge by. */
function regionsIn({ graph, judged }: Kept, property: number | null): Regions | null {
  if (!graph.complete || property === null) return null;
  const regions = judged.get(property) ?? regionsOf(graph, property);
  judged.set(property, regions);
  return regions;
}

function forgetDownTo(bytesMax: number): void {
  const bytesOf = ({ graph, judged }: Kept): number =>
    [...judged.values()].reduce((sum, { bytes }) => sum + bytes, graph.bytes);
  let bytes = [...kept.values()].reduce((sum, one) => sum + bytesOf(one), 0);
  for (const [key, one] of kept) {
    if (bytes <= bytesMax) return;
    kept.delete(key);
    bytes -= bytesOf(one);
  }
}
