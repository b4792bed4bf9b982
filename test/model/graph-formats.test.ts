/** The graph of a search as files: every state and transition as AUT, the map as DOT and GraphML. */
import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import { toAut } from '../../src/explorer/aut.js';
import { successorsOf } from '../../src/explorer/path.js';
import { quotientOf } from '../../src/explorer/quotient.js';
import { regionsOf } from '../../src/explorer/regions.js';
import { search } from '../../src/explorer/search.js';
import { stateGraph } from '../../src/explorer/state-graph.js';
import { exploredWorld } from '../../src/model/explored-world.js';
import { type MapGraph, toDot, toGraphMl } from '../../src/model/exports/map-formats.js';
import { MachineModel } from '../../src/model/machine-model.js';
import { placeNames } from '../../src/model/place.js';
import { SCENARIOS } from '../../src/model/worlds/scenarios.js';

const scenario = SCENARIOS.find(({ id }) => id === 'matrix-linux-7.2.6-k3-late')!;
const model = new MachineModel(exploredWorld(scenario.model), scenario.properties);
const BOUNDS = { fold: false, statesMax: 100_000, transitionsMax: 1_000_000, bytesMax: 2 ** 28 };
const graph = stateGraph(model, BOUNDS);

interface Aut {
  readonly transitions: number;
  readonly states: number;
  readonly edges: readonly { from: number; label: string; to: number }[];
}

function parseAut(text: string): Aut {
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const [, first, transitions, states] = /^des \((\d+), (\d+), (\d+)\)$/.exec(head) ?? [];
  if (first !== '0') throw new Error(head);
  const edges = lines.map((line) => {
    const [, from, label = '', to] = /^\((\d+), "([^"]*)", (\d+)\)$/.exec(line) ?? [];
    if (from === undefined) throw new Error(line);
    return { from: Number(from), label, to: Number(to) };
  });
  return { transitions: Number(transitions), states: Number(states), edges };
}

t.test('AUT has every state and transition of the search, in words', async (t) => {
  const aut = parseAut(toAut(graph)!);
  const { distinctStates } = search(model);
  t.equal(aut.states, distinctStates);
  t.equal(aut.edges.length, aut.transitions);
  const reached = new Set([0]);
  for (const { from, to } of aut.edges) {
    t.ok(reached.has(from) || from < aut.states);
    reached.add(to);
  }
  t.equal(reached.size, aut.states, 'every state is led to');
  // Along the labels one comes to the same states as by the model.
  const { words } = model;
  for (let from = 0; from < aut.states; from += 7) {
    const state = graph.table.states.slice(from * words, (from + 1) * words);
    const own = aut.edges.filter((edge) => edge.from === from);
    const successors = successorsOf(model, state);
    t.strictSame(
      own.map(({ to }) => [...graph.table.states.subarray(to * words, (to + 1) * words)]),
      successors.map(({ state: next }) => [...next]),
    );
  }
  const labels = new Set(aut.edges.map(({ label }) => label));
  for (const label of ['k4_list_build', 'k0_irq_off (v0 runs)', 'PMC0 overflows; PMI pending']) {
    t.ok(labels.has(label), label);
  }
});

t.test('half a graph is not written', async (t) => {
  t.equal(toAut(stateGraph(model, { ...BOUNDS, statesMax: 50 })), null);
});

t.test('with folding the graph has a state for each class', async (t) => {
  const folded = parseAut(toAut(stateGraph(model, { ...BOUNDS, fold: true }))!);
  t.ok(folded.states <= graph.count && folded.edges.length === folded.transitions);
});

const property = model.properties.findIndex(({ id }) => id === 'I1');
const quotient = quotientOf(
  graph,
  regionsOf(graph, property),
  (states, at) => model.placeOf(states, at, 0),
  1000,
);
const map: MapGraph = {
  nodes: quotient.nodes.map(({ place, ...node }) => ({ ...placeNames(place), ...node })),
  edges: quotient.edges,
};

function reads(t: Test, program: string, args: readonly string[], input: string): string | null {
  if (spawnSync('which', [program]).status !== 0) {
    t.comment(`${program} is not installed: this reader is not tried`);
    return null;
  }
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8' });
  t.equal(status, 0, stderr);
  return stdout;
}

t.test('DOT has a node a place and an edge a pair of them', async (t) => {
  const text = toDot(map);
  t.equal(text.match(/^ {2}\d+ \[/gm)?.length, map.nodes.length);
  t.equal(text.match(/^ {2}\d+ -> \d+ \[/gm)?.length, map.edges.length);
  t.match(text, 'color=red', 'places with violating states stand out');
  const canonical = reads(t, 'dot', ['-Tcanon'], text);
  if (canonical !== null) t.equal(canonical.match(/ -> /g)?.length, map.edges.length);
});

t.test('GraphML has them too, with the counts as data', async (t) => {
  const text = toGraphMl(map);
  t.equal(text.match(/<node /g)?.length, map.nodes.length);
  t.equal(text.match(/<edge /g)?.length, map.edges.length);
  const query = 'sum(//*[local-name()="node"]/*[@key="states"])';
  const sum = reads(t, 'xmllint', ['--xpath', query, '-'], text);
  if (sum !== null) t.equal(Number(sum), graph.count, 'every state is counted once');
  const escaped = toGraphMl({
    nodes: [{ micro_step: 'a<b', operation: '&', states: 1, doomed: null, violating: null }],
    edges: [],
  });
  t.match(escaped, '<data key="micro_step">a&lt;b</data><data key="operation">&amp;</data>');
  t.notMatch(escaped, 'key="doomed">', 'what is not known is left out');
  reads(t, 'xmllint', ['--noout', '-'], escaped);
});
