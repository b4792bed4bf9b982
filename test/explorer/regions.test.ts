// The whole graph of a toy: where a violation can still be avoided, the way to it, and the graph by places.
import t from 'tap';
import { GraphThread } from '../../src/explorer/graph-thread.js';
import type { Model } from '../../src/explorer/model.js';
import { type Path, replay } from '../../src/explorer/path.js';
import { Random } from '../../src/explorer/prng.js';
import { quotientOf } from '../../src/explorer/quotient.js';
import { pointOfNoReturn, regionsOf } from '../../src/explorer/regions.js';
import { type SearchOptions, search } from '../../src/explorer/search.js';
import {
  numberOf,
  type StateGraph,
  shortestPath,
  stateGraph,
} from '../../src/explorer/state-graph.js';
import { REGIONS } from '../../src/explorer/verdicts.js';
import { graph, grid, jugs } from './toy-models.js';

const TOYS = new URL('./toy-models.js', import.meta.url).href;
const BOUNDS = { fold: false, statesMax: 1e6, transitionsMax: 1e7, bytesMax: 2 ** 28 };
type Edges = Readonly<Record<number, readonly number[]>>;

function whole(model: Model, fold = false): StateGraph {
  return stateGraph(model, { ...BOUNDS, fold });
}

/** By node: its region and the steps to a violation. */
function judged(edges: Edges, bad: readonly number[]): Record<number, string> {
  const built = whole(graph(edges, bad));
  const { region, steps } = regionsOf(built, 0);
  return Object.fromEntries(
    Array.from(region, (code, state) => [
      built.table.states[state] as number,
      `${REGIONS[code]} ${steps[state]}`,
    ]),
  );
}

t.test('a violation that every run comes to dooms the states before it', async (t) => {
  t.same(judged({ 1: [2], 2: [3] }, [3]), { 1: 'doomed 2', 2: 'doomed 1', 3: 'violating 0' });
});

t.test('a run that ends, or goes on for ever, has avoided it', async (t) => {
  t.same(
    judged({ 1: [2, 3], 2: [] }, [3]),
    { 1: 'avoidable 1', 2: 'avoidable -1', 3: 'violating 0' },
    'where nothing more can be done',
  );
  t.same(
    judged({ 1: [2], 2: [1, 3] }, [3]),
    { 1: 'avoidable 2', 2: 'avoidable 1', 3: 'violating 0' },
    'on a cycle',
  );
});

t.test('a step that changes nothing avoids nothing, unless nothing else can be done', async (t) => {
  t.same(
    judged({ 1: [1, 2], 2: [2, 3, 2] }, [3]),
    { 1: 'doomed 2', 2: 'doomed 1', 3: 'violating 0' },
    'it can be repeated, and then the run goes on',
  );
  t.same(
    judged({ 1: [2, 3], 2: [2] }, [3]),
    { 1: 'avoidable 1', 2: 'avoidable -1', 3: 'violating 0' },
    'it is all that is left',
  );
});

t.test('what comes after a violation does not make it avoidable', async (t) => {
  t.same(
    judged({ 1: [2], 2: [3], 3: [4], 4: [3, 2] }, [2]),
    { 1: 'doomed 1', 2: 'violating 0', 3: 'avoidable 2', 4: 'avoidable 1' },
    'but from there on the same is asked again',
  );
});

t.test('the point of no return is the first step after which it is unavoidable', async (t) => {
  const point = (edges: Edges, bad: readonly number[], path: Path): number | null => {
    const built = whole(graph(edges, bad));
    return pointOfNoReturn(built, regionsOf(built, 0), path);
  };
  const edges = { 1: [2], 2: [1, 3], 3: [4], 4: [5] };
  t.equal(point(edges, [5], [0, 1, 0, 0]), 2);
  t.equal(point(edges, [5], [0]), null, 'not reached yet');
  t.equal(point({ 1: [2], 2: [] }, [1], []), 0, 'violated from the start');
  t.equal(point({ 1: [2, 2], 2: [] }, [2], [1]), 0, 'unavoidable from the start');
  t.equal(point({ 1: [2, 3], 3: [] }, [2], [0]), 1, 'avoidable up to the last step');
});

t.test('random graphs: as by the definition', async (t) => {
  const random = new Random(7, 0);
  for (let round = 0; round < 200; round++) {
    const size = 2 + random.below(9);
    const edges = Object.fromEntries(
      Array.from({ length: size }, (_, node) => [
        node + 1,
        Array.from({ length: random.below(4) }, () => 1 + random.below(size)),
      ]),
    );
    const bad = [1 + random.below(size), 1 + random.below(size)];
    const built = whole(graph(edges, bad));
    const nodes = [...built.table.states.subarray(0, built.count)];
    const avoiding = avoidingNodes(nodes, edges, bad);
    const expected = Object.fromEntries(
      nodes.map((node) => [
        node,
        bad.includes(node) ? 'violating' : avoiding.has(node) ? 'avoidable' : 'doomed',
      ]),
    );
    const found = Object.entries(judged(edges, bad)).map(([node, text]) => [
      node,
      text.split(' ')[0],
    ]);
    t.same(Object.fromEntries(found), expected, JSON.stringify({ edges, bad }));
  }
});

/** The largest set of good nodes that have nowhere else to go, or somewhere within the set. */
function avoidingNodes(
  nodes: readonly number[],
  edges: Edges,
  bad: readonly number[],
): Set<number> {
  const kept = new Set(nodes.filter((node) => !bad.includes(node)));
  for (let before = -1; before !== kept.size; ) {
    before = kept.size;
    for (const node of kept) {
      const elsewhere = (edges[node] ?? []).filter((to) => to !== node);
      if (elsewhere.length > 0 && !elsewhere.some((to) => kept.has(to))) kept.delete(node);
    }
  }
  return kept;
}

t.test('the graph has what a search counts, and the shortest path to every state', async (t) => {
  for (const fold of [false, true]) {
    const model = grid(3, 5, 7);
    const built = whole(model, fold);
    const { distinctStates, totalStates } = search(model, { fold });
    t.same([built.count, built.targets.length], [distinctStates, totalStates]);
    for (let state = 0; state < built.count; state++) {
      const path = shortestPath(built, state);
      const end = replay(model, path).at(-1)?.state ?? new Int32Array(model.words);
      t.equal(numberOf(built, end), state);
      t.equal(
        path.length,
        end.reduce((sum, counter) => sum + counter, 0),
      );
    }
  }
});

t.test('folded or not, a state is in the same region', async (t) => {
  const model = grid(3, 4, 7);
  const [plain, folded] = [whole(model), whole(model, true)];
  const [own, shared] = [regionsOf(plain, 0), regionsOf(folded, 0)];
  t.ok(folded.count < plain.count);
  for (let state = 0; state < plain.count; state++) {
    const words = plain.table.states.slice(state * model.words, (state + 1) * model.words);
    const at = numberOf(folded, words);
    t.same([own.region[state], own.steps[state]], [shared.region[at], shared.steps[at]]);
  }
  const path = [0, 0, 1, 1, 2, 2, 0];
  t.equal(pointOfNoReturn(plain, own, path), 0, 'every run passes the sum');
});

t.test('by places: states and transitions are counted, none twice', async (t) => {
  const built = whole(jugs());
  const big = (states: Int32Array, at: number): number => (states[at] as number) >>> 4;
  const { nodes, edges, complete } = quotientOf(built, regionsOf(built, 1), big, 100);
  t.ok(complete);
  t.same(
    nodes.map(({ place }) => place).sort(),
    [0, 1, 2, 3, 4, 5],
    'a node for each filling of the big jug',
  );
  t.equal(sum(nodes.map(({ states }) => states)), 16);
  t.same(
    nodes.filter(({ violating }) => violating !== 0).map(({ place }) => place),
    [4],
  );
  t.equal(nodes.find(({ place }) => place === 4)?.shallowest.length, 6);
  const moving = sum(
    Array.from({ length: built.count }, (_, state) => {
      const own = built.targets.subarray(built.starts[state], built.starts[state + 1]);
      return own.filter((to) => to !== state).length;
    }),
  );
  t.equal(sum(edges.map(({ transitions }) => transitions)), moving);
  t.equal(quotientOf(built, null, big, 3).complete, false, 'at most so many places');
  t.equal(quotientOf(built, null, big, 3).nodes.length, 3);
});

t.test('of too large a graph there is as much as the bounds let in', async (t) => {
  const model = grid(3, 9, 100);
  for (const bound of [{ statesMax: 999 }, { transitionsMax: 2699 }, { bytesMax: 2 ** 16 }]) {
    const part = stateGraph(model, { ...BOUNDS, ...bound });
    t.equal(part.complete, false, JSON.stringify(bound));
    t.ok(part.count < 1000 || part.targets.length < 2700);
    t.ok([...part.targets].every((target) => target >= 0 && target < part.count));
    t.equal(part.starts[part.count], part.targets.length);
    t.throws(() => regionsOf(part, 0), /complete/);
  }
  const all = stateGraph(model, { ...BOUNDS, statesMax: 1000, transitionsMax: 2700 });
  t.same([all.complete, all.count, all.targets.length], [true, 1000, 2700]);
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

t.test('a search says where each counterexample passes the point of no return', async (t) => {
  const model = graph({ 1: [2, 4], 2: [3], 3: [5], 4: [1] }, [5]);
  const graphBounds = { ...BOUNDS, bytesMax: 2 ** 28 };
  const point = (options: SearchOptions): number | null | undefined =>
    search(model, options).properties[0]?.evidence?.groups[0]?.pointOfNoReturn;
  t.equal(point({ graph: graphBounds }), 1);
  t.equal(point({ graph: graphBounds, strategy: { kind: 'depth-first' } }), 1);
  t.equal(point({}), undefined, 'not unless asked');
  t.equal(point({ graph: { ...graphBounds, statesMax: 4 } }), undefined, 'nor of a larger graph');
  t.equal(
    point({ graph: graphBounds, limits: { bytesMax: 2 ** 19 } }),
    undefined,
    'nor without memory',
  );
  t.equal(point({ graph: graphBounds, stopAtFirstViolation: true }), undefined, 'nor of a part');
});

t.test('a thread of its own keeps graphs, and answers for states and maps', async (t) => {
  const thread = new GraphThread();
  t.teardown(() => thread.close());
  const source = {
    module: TOYS,
    args: { toy: 'graph', edges: { 1: [2, 4], 2: [3], 4: [] }, bad: [3] },
  };
  const whole = { source, bounds: BOUNDS, property: 0 };
  const states = [4, 2, 3, 1].map((node) => Int32Array.of(node));
  const expected = [
    { region: 'avoidable', steps: null },
    { region: 'doomed', steps: 1 },
    { region: 'violating', steps: 0 },
    { region: 'avoidable', steps: 2 },
  ];
  t.same(await thread.standings(whole, states), expected);
  t.same(await thread.standings(whole, states), expected, 'and again');
  const map = await thread.map(whole, 0, 10);
  t.same(
    map.nodes.map(({ place, states, doomed, violating }) => [place, states, doomed, violating]),
    [
      [1, 2, 0, 1],
      [0, 2, 1, 0],
    ],
    'by odd and even nodes',
  );
  const partly = { ...whole, bounds: { ...BOUNDS, statesMax: 2 } };
  t.equal(await thread.standings(partly, states), null, 'not of a part of the graph');
  const part = await thread.map(partly, 0, 10);
  t.equal(part.complete, false);
  t.equal(sum(part.nodes.map((node) => node.states)), 2, 'but there is a map of it');
  await t.rejects(thread.standings(whole, [Int32Array.of(9)]), /does not reach/);
});
