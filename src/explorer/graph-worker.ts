/** The thread of whole graphs: builds them, keeps the last few, and answers questions about them. */
import { answerTasks } from './answer-tasks.js';
import type { GraphAnswer, GraphTask, Standing, WholeGraph } from './graph-thread.js';
import { loadModel } from './model.js';
import { quotientOf } from './quotient.js';
import { REGIONS, type Regions, regionsOf } from './regions.js';
import { numberOf, type StateGraph, stateGraph } from './state-graph.js';

interface Kept {
  readonly graph: StateGraph;
  readonly regions: Regions;
}

/** By what was asked for, the last used at the end. */
const kept = new Map<string, Kept>();

answerTasks<GraphTask, GraphAnswer>(async (task) => {
  const whole = await wholeOf(task);
  if (whole === null) return null;
  const { graph, regions } = whole;
  if (task.kind === 'standings')
    return task.states.map((state) => standingOf(graph, regions, state));
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

async function wholeOf({ source, bounds, property }: WholeGraph): Promise<Kept | null> {
  const key = JSON.stringify({ source, bounds, property });
  const known = kept.get(key);
  kept.delete(key);
  // Beside the next one there is room for half as much of those before it.
  if (known === undefined) forgetDownTo(bounds.bytesMax / 2);
  const whole = known ?? judged(stateGraph(await loadModel(source), bounds), property);
  if (whole !== null) kept.set(key, whole);
  return whole;
}

function judged(graph: StateGraph | null, property: number): Kept | null {
  return graph === null ? null : { graph, regions: regionsOf(graph, property) };
}

function forgetDownTo(bytesMax: number): void {
  let bytes = 0;
  for (const { graph, regions } of kept.values()) bytes += graph.bytes + regions.bytes;
  for (const [key, { graph, regions }] of kept) {
    if (bytes <= bytesMax) return;
    kept.delete(key);
    bytes -= graph.bytes + regions.bytes;
  }
}
