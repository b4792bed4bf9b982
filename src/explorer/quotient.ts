import type { Path } from './path.js';
import type { Regions } from './regions.js';
import { type StateGraph, shortestPath } from './state-graph.js';
import { REGIONS } from './verdicts.js';

/** States with the same place taken together: a map that is about as large for a million states as for a thousand. */
export interface Quotient {
  /** In the order in which a breadth-first search comes to them. */
  readonly nodes: readonly QuotientNode[];
  readonly edges: readonly QuotientEdge[];
  /** No state was left out. */
  readonly complete: boolean;
}

export interface QuotientNode {
  readonly place: number;
  readonly states: number;
  /** Null where nothing is judged. */
  readonly doomed: number | null;
  readonly violating: number | null;
  /** To one of its states that is nearest to the initial one. */
  readonly shallowest: Path;
}

export interface QuotientEdge {
  /** Indices of nodes; the same where a transition leads from a place to itself. */
  readonly from: number;
  readonly to: number;
  readonly transitions: number;
}

/** Counts states and transitions by place; transitions that lead to the very state they come from are no edges. */
export function quotientOf(
  graph: StateGraph,
  regions: Regions | null,
  placeOf: (states: Int32Array, at: number) => number,
  nodesMax: number,
): Quotient {
  const { count, table, model, starts, targets } = graph;
  const numbers = new Map<number, number>();
  const nodes: {
    place: number;
    first: number;
    states: number;
    doomed: number;
    violating: number;
  }[] = [];
  const nodeOf = new Int32Array(count).fill(-1);
  for (let state = 0; state < count; state++) {
    const place = placeOf(table.states, state * model.words);
    let number = numbers.get(place);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(place, number);
      if (number < nodesMax)
        nodes.push({ place, first: state, states: 0, doomed: 0, violating: 0 });
    }
    const node = nodes[number];
    if (node === undefined) continue;
    nodeOf[state] = number;
    node.states++;
    const region = regions === null ? undefined : REGIONS[regions.region[state] as number];
    if (region === 'doomed') node.doomed++;
    if (region === 'violating') node.violating++;
  }
  const edges = new Map<number, number>();
  for (let state = 0; state < count; state++) {
    const from = nodeOf[state] as number;
    for (let k = starts[state] as number; k < (starts[state + 1] as number); k++) {
      const target = targets[k] as number;
      const to = nodeOf[target] as number;
      if (target === state || from < 0 || to < 0) continue;
      const edge = from * nodesMax + to;
      edges.set(edge, (edges.get(edge) ?? 0) + 1);
    }
  }
  return {
    nodes: nodes.map(({ first, ...node }) => ({
      ...node,
      ...(regions === null ? { doomed: null, violating: null } : {}),
      shallowest: shortestPath(graph, first),
    })),
    edges: [...edges].map(([edge, transitions]) => ({
      from: Math.floor(edge / nodesMax),
      to: edge % nodesMax,
      transitions,
    })),
    complete: graph.complete && numbers.size <= nodesMax,
  };
}
