/** Recordings followed through random graphs, beside a search that keeps everything. */
import t from 'tap';
import { follow } from '../../src/explorer/follow.js';
import {
  expandInto,
  type Model,
  type Successors,
  successorsFor,
} from '../../src/explorer/model.js';
import { ANY_FACET, MISSING, matches, symbolOf } from '../../src/explorer/observation.js';
import { replay } from '../../src/explorer/path.js';
import { Random } from '../../src/explorer/prng.js';
import { VisitedTable } from '../../src/explorer/visited-table.js';

interface Edge {
  readonly to: number;
  readonly shows: readonly number[];
}

const STATES = 8;
const LABELS = 4;

/** Each state has a few successors, and each step shows nothing, one symbol or several. */
class Graph implements Model {
  readonly words = 1;
  readonly successorsMax = LABELS;
  readonly properties = [];
  readonly edges: readonly (readonly Edge[])[];
  private expanded = 0;

  constructor(dice: Random, names: number) {
    this.edges = Array.from({ length: STATES }, () =>
      Array.from({ length: dice.below(LABELS) + 1 }, () => ({
        to: dice.below(STATES),
        shows: Array.from({ length: Math.max(0, dice.below(5) - 1) }, () =>
          symbolOf(1 + dice.below(names), 1 + dice.below(2)),
        ),
      })),
    );
  }

  initial(out: Int32Array): void {
    out[0] = 0;
  }

  expand(states: Int32Array, at: number, out: Successors): void {
    this.expanded = states[at]!;
    for (const [label, { to }] of this.edges[states[at]!]!.entries()) {
      out.words[out.count] = to;
      out.labels[out.count] = label;
      out.count += 1;
    }
  }

  emits(nth: number, out: Int32Array): number {
    const { shows } = this.edges[this.expanded]![nth]!;
    out.set(shows);
    return shows.length;
  }

  check(): number {
    return 0;
  }

  describe(): string {
    return '';
  }
}

/** Where in a recording a step can lead to from a place, and how far it fits. */
function fits(recording: readonly number[], place: number, shows: readonly number[]) {
  let places = new Set([place]);
  let furthest = place;
  for (const symbol of shows) {
    const next = new Set<number>();
    const look = (at: number): void => {
      const recorded = recording[at];
      if (recorded === undefined) next.add(at);
      else if (recorded === MISSING) {
        next.add(at);
        look(at + 1);
      } else {
        furthest = Math.max(furthest, at);
        if (matches(recorded, symbol)) next.add(at + 1);
      }
    };
    for (const at of places) look(at);
    places = next;
  }
  return { places, furthest: Math.max(furthest, ...places) };
}

/** Breadth first over states and places together. */
function reference({ edges }: Graph, recording: readonly number[]) {
  const depths = new Map([[0, 0]]);
  let furthest = 0;
  for (const [key, depth] of depths) {
    const [state, place] = [key % STATES, Math.floor(key / STATES)];
    if (place === recording.length) return { steps: depth, furthest: place };
    for (const { to, shows } of edges[state]!) {
      const found = fits(recording, place, shows);
      furthest = Math.max(furthest, found.furthest);
      for (const at of found.places) {
        const next = at * STATES + to;
        if (!depths.has(next)) depths.set(next, depth + 1);
      }
    }
  }
  return { steps: -1, furthest };
}

/** What a random walk shows. */
function walked(graph: Graph, dice: Random, length: number): number[] {
  const shown: number[] = [];
  for (let state = 0, steps = 0; shown.length < length && steps < 200; steps += 1) {
    const edges = graph.edges[state]!;
    const { to, shows } = edges[dice.below(edges.length)]!;
    shown.push(...shows);
    state = to;
  }
  return shown;
}

/** Facets left open, symbols lost, symbols changed. */
function blurred(shown: readonly number[], dice: Random, names: number): number[] {
  return shown.flatMap((symbol) => {
    switch (dice.below(12)) {
      case 0:
        return [MISSING];
      case 1:
        return [symbol, MISSING];
      case 2:
        return [symbol | ANY_FACET];
      case 3:
        return dice.below(4) === 0 ? [symbolOf(1 + dice.below(names), 1)] : [symbol];
      default:
        return [symbol];
    }
  });
}

/** Whether the run shows the recording, all of it or up to a place. */
function shows(graph: Graph, path: readonly number[], recording: readonly number[]): boolean {
  let places = new Set([0]);
  let state = 0;
  for (const { label, state: next } of replay(graph, path)) {
    const edge = graph.edges[state]![label]!;
    places = new Set(
      [...places].flatMap((place) => [...fits(recording, place, edge.shows).places]),
    );
    state = next[0]!;
  }
  return places.has(recording.length);
}

t.test('finds a shortest run, or the first record that no run shows', async (t) => {
  const verdicts = { explained: 0, unexplained: 0, undecided: 0 };
  for (let seed = 0; seed < 3000; seed += 1) {
    const dice = new Random(seed);
    const names = 1 + dice.below(4);
    const graph = new Graph(dice, names);
    const recording = blurred(walked(graph, dice, dice.below(40)), dice, names);
    while (recording.at(-1) === MISSING) recording.pop();
    const found = follow(graph, Int32Array.from(recording), { limits: {} });
    const expected = reference(graph, recording);
    verdicts[found.verdict] += 1;
    const where = `seed ${seed}`;
    if (expected.steps < 0) {
      if (found.verdict !== 'unexplained' || found.position !== expected.furthest) {
        t.fail(`${where}: ${found.verdict} at ${found.position}, not ${expected.furthest}`);
      }
    } else if (found.verdict !== 'explained' || found.path.length !== expected.steps) {
      t.fail(`${where}: ${found.verdict}, ${found.path.length} steps, not ${expected.steps}`);
    } else if (!shows(graph, found.path, recording)) {
      t.fail(`${where}: the path shows something else`);
    }
  }
  t.ok(verdicts.explained > 500 && verdicts.unexplained > 100, JSON.stringify(verdicts));
});

t.test('says what could have been recorded instead', async (t) => {
  const graph = new Graph(new Random(1), 1);
  const symbol = symbolOf(1, 1);
  const found = follow(graph, Int32Array.of(symbol, symbolOf(7, 1)), { limits: {} });
  t.equal(found.verdict, 'unexplained');
  t.ok(found.instead.length > 0 && found.instead.every((one) => one >>> 4 === 1));
});

t.test('a bound leaves it undecided', async (t) => {
  const dice = new Random(3);
  const graph = new Graph(dice, 1);
  const recording = Int32Array.from(walked(graph, dice, 100));
  t.match(follow(graph, recording, { limits: { statesMax: 0 } }), {
    verdict: 'undecided',
    reason: 'statesMax',
  });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  stop[0] = 6;
  t.match(follow(graph, recording, { limits: {}, stop }), { reason: 'cancelled' });
  stop[0] = 0;
  t.match(follow(graph, recording, { limits: { statesMax: 0 }, stop }), { reason: 'statesMax' });
  t.match(follow(graph, recording, { limits: {}, stop }), { verdict: 'explained' }, 'the next');
});

t.test('a long run takes the memory of one path', async (t) => {
  const dice = new Random(5);
  const graph = new Graph(dice, 2);
  const recording = Int32Array.from({ length: 200_000 });
  const out = successorsFor(graph, 1);
  let state = 0;
  let count = 0;
  while (count < recording.length - 4) {
    out.count = 0;
    expandInto(graph, Int32Array.of(state), 0, out);
    const taken = dice.below(out.count);
    const { shows } = graph.edges[state]![taken]!;
    recording.set(shows, count);
    count += shows.length;
    state = out.words[taken]!;
  }
  const found = follow(graph, recording.subarray(0, count), { limits: { bytesMax: 16 * 2 ** 20 } });
  t.equal(found.verdict, 'explained');
});

t.test('a table that was cleared is empty', async (t) => {
  const table = new VisitedTable(1, 2 ** 24);
  const dice = new Random(11);
  for (let round = 0; round < 50; round += 1) {
    const states = Int32Array.from({ length: 1 + dice.below(6000) }, () => dice.next());
    for (let at = 0; at < states.length; at += 1) {
      table.reserve(1);
      table.insert(states, at);
    }
    const { count } = table;
    t.equal(count, new Set(states).size);
    table.clear();
    const left = Array.from(states).filter((_, at) => table.find(states, at) >= 0);
    t.equal(table.count + left.length, 0);
  }
});
