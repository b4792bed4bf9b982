// The synchronous core on toy models: strategies, verdicts, bounds, counterexamples.
import t from 'tap';
import type { Limits, StopReason } from '../../src/explorer/budget.js';
import { GrowingWords } from '../../src/explorer/growing-words.js';
import type { Model } from '../../src/explorer/model.js';
import { formatPath, walkTo } from '../../src/explorer/path.js';
import { Random, seedFor } from '../../src/explorer/prng.js';
import type { ExploreResult } from '../../src/explorer/result.js';
import { type SearchOptions, search } from '../../src/explorer/search.js';
import { shortcut } from '../../src/explorer/shortcut.js';
import { shrink } from '../../src/explorer/shrink.js';
import { VisitedTable } from '../../src/explorer/visited-table.js';
import { pathOfWalk, Walker, walkRange } from '../../src/explorer/walk.js';
import { graph, grid, jugs } from './toy-models.js';

const counts = ({ distinctStates, totalStates, depth }: ExploreResult) => ({
  distinctStates,
  totalStates,
  depth,
});
const verdicts = (result: ExploreResult) =>
  Object.fromEntries(result.properties.map(({ id, verdict }) => [id, verdict]));
const breadthFirst = { kind: 'breadth-first' } as const;
const depthFirst = { kind: 'depth-first' } as const;

t.test('the jugs have 16 states, 96 transitions, and four gallons after six steps', async (t) => {
  const model = jugs();
  const result = search(model);
  t.match(counts(result), { distinctStates: 16, totalStates: 96 });
  t.match(verdicts(result), {
    'big-holds-four': 'witnessed',
    'never-four': 'violated',
    'big-holds-six': 'unreachable',
    'no-overflow': 'holds',
  });
  t.equal(result.verdict, 'violated');
  const evidence = result.properties[0]?.evidence;
  t.match(evidence, { depth: 6, minimal: true, exhaustive: true });
  const path = evidence?.groups[0]?.listed[0] ?? [];
  const place = walkTo(model, path);
  t.match(model.describe(place.state, 0), 'big 4');
  t.same(
    place.steps.map((step) => model.describe(step.state, 0, step.label)),
    ['fill big', 'big to small', 'empty small', 'big to small', 'fill big', 'big to small'],
  );
  t.same(evidence?.groups[0]?.state, [...place.state]);
});

t.test(
  'depth-first search sees the same states and transitions as breadth-first search',
  async (t) => {
    for (const model of [jugs(), grid(3, 6, 9), graph({ 1: [2, 3], 2: [4], 3: [4], 4: [1] })]) {
      const { depth: _, ...wide } = counts(search(model, { strategy: breadthFirst }));
      const { depth: __, ...deep } = counts(search(model, { strategy: depthFirst }));
      t.same(deep, wide);
      t.same(verdicts(search(model, { strategy: depthFirst })), verdicts(search(model)));
    }
  },
);

t.test('the grid has its closed-form counts for every number of words', async (t) => {
  for (let words = 1; words <= 7; words++) {
    const top = words < 5 ? 7 : 3;
    t.same(counts(search(grid(words, top, -1))), {
      distinctStates: (top + 1) ** words,
      totalStates: words * top * (top + 1) ** (words - 1),
      depth: words * top,
    });
  }
});

t.test('a big grid makes the table and the states grow and is still exact', async (t) => {
  const result = search(grid(3, 99, -1));
  t.same(counts(result), { distinctStates: 1_000_000, totalStates: 2_970_000, depth: 297 });
  t.ok(result.bytes / 1_000_000 <= 12 + 21.4 + 0.8, `${result.bytes / 1e6} bytes a state`);
});

t.test(
  'a search that may take more memory than one buffer can have has room for as many states',
  async (t) => {
    const most = (bytes: number) => new GrowingWords(1, bytes / 4).wordsMax;
    t.equal(most(16 * 2 ** 30), most(4 * 2 ** 30));
    t.ok(most(4 * 2 ** 30) > most(2 ** 30));
  },
);

t.test('every shortest run is counted, and the first is the lexicographically least', async (t) => {
  // Runs to the diagonal x + y = 5 of a large enough grid: 2^5, ending in 6 states.
  const { evidence } = search(grid(2, 9, 5)).properties[0] ?? {};
  t.match(evidence, { depth: 5, minimal: true, exhaustive: true, states: 6, paths: 32 });
  // Symmetric ends are one group: {0,5}, {1,4}, {2,3}.
  t.same(
    evidence?.groups.map(({ states, paths }) => ({ states, paths })),
    [
      { states: 2, paths: 2 },
      { states: 2, paths: 10 },
      { states: 2, paths: 20 },
    ],
  );
  t.equal(formatPath(evidence?.groups[0]?.listed[0] ?? []), '0/0/0/0/0');
  const limited = search(grid(2, 9, 5), { groupsMax: 1, pathsMax: 1 }).properties[0]?.evidence;
  t.match(limited, { states: 6, paths: 32 });
  t.equal(limited?.groups.length, 1);
  t.equal(limited?.groups[0]?.listed.length, 1);
});

t.test('of equally short runs those with the fewest actors come first', async (t) => {
  const random = new Random(7);
  for (let round = 0; round < 200; round += 1) {
    // Five layers of four nodes; an edge has the label, and so the actor, of a random number; 0 is nobody.
    const edges: Record<number, { node: number; label: number }[]> = { 1: [] };
    for (let node = 1; node <= 17; node += 1) {
      const layer = node === 1 ? 0 : Math.ceil((node - 1) / 4);
      edges[node] = Array.from({ length: 3 }, () => ({
        node: 4 * layer + 2 + random.below(4),
        label: random.below(5),
      }));
    }
    const model: Model = {
      ...graph({}, [18, 19]),
      actorOf: (label) => label - 1,
      expand(states, at, out) {
        for (const { node, label } of edges[states[at] as number] ?? []) {
          out.words[out.count] = node;
          out.labels[out.count++] = label;
        }
      },
    };
    const { evidence } = search(model, { pathsMax: 1000 }).properties[0] ?? {};
    if (!evidence) continue;
    const actors = (path: readonly number[]): number => {
      const labels = walkTo(model, path).steps.map(({ label }) => label);
      return new Set(labels.filter((label) => label > 0)).size;
    };
    const least = evidence.groups.map(({ listed }) => {
      t.equal(new Set(listed.map(formatPath)).size, listed.length, 'each run once');
      const few = Math.min(...listed.map(actors));
      const [first] = listed
        .filter((path) => actors(path) === few)
        .map(formatPath)
        .sort();
      t.equal(formatPath(listed[0] ?? []), first, `round ${round}`);
      return few;
    });
    t.same(least, [...least].sort(), 'and groups in the order of their first runs');
    t.equal(
      evidence.groups.reduce((sum, { listed }) => sum + listed.length, 0),
      evidence.paths,
    );
  }
});

t.test('two edges to the same state are two runs', async (t) => {
  const { evidence } =
    search(graph({ 1: [2, 3, 2], 2: [4], 3: [4], 4: [1] }, [4])).properties[0] ?? {};
  t.match(evidence, { depth: 2, states: 1, paths: 3 });
  t.same(evidence?.groups[0]?.listed.map(formatPath).sort(), ['0/0', '1/0', '2/0']);
});

t.test('an initial state that is bad has the empty path', async (t) => {
  for (const strategy of [
    breadthFirst,
    depthFirst,
    { kind: 'random-walk', seed: 1, walks: 1 } as const,
  ]) {
    const { verdict, evidence } = search(graph({ 1: [2] }, [1]), { strategy }).properties[0] ?? {};
    t.equal(verdict, 'violated');
    t.match(evidence, { depth: 0, minimal: true, groups: [{ state: [1], listed: [[]] }] });
  }
});

t.test('folding gives fewer states, the same verdicts and the same counterexamples', async (t) => {
  for (const [counters, top, goal] of [
    [2, 9, 5],
    [3, 6, 7],
    [4, 4, 16],
    [3, 5, 99],
  ] as const) {
    const plain = search(grid(counters, top, goal));
    const folded = search(grid(counters, top, goal), { fold: true });
    t.equal(folded.distinctStates, binomial(top + counters, counters));
    t.equal(folded.depth, plain.depth);
    t.same(verdicts(folded), verdicts(plain));
    t.same(
      folded.properties.map((property) => property.evidence),
      plain.properties.map((property) => property.evidence),
    );
    t.same(
      verdicts(search(grid(counters, top, goal), { fold: true, strategy: depthFirst })),
      verdicts(plain),
    );
  }
});

t.test('a folded depth-first run is a real run', async (t) => {
  const model = grid(3, 6, 7);
  const path =
    search(model, { fold: true, strategy: depthFirst }).properties[0]?.evidence?.groups[0]
      ?.listed[0] ?? [];
  t.equal(walkTo(model, path).found & 1, 1);
});

t.test('a symmetry that does not commute with the steps is found out', async (t) => {
  const liar: Model = {
    ...graph({ 1: [2], 2: [4], 3: [5], 5: [6] }, [6]),
    canonical(states, at) {
      if (states[at] === 2) states[at] = 3;
    },
  };
  t.throws(() => search(liar, { fold: true }), /model error: canonical\(\) does not commute/);
});

t.test('a search cut by a bound is undecided and says which', async (t) => {
  const cases: readonly (readonly [Limits, StopReason])[] = [
    [{ statesMax: 500 }, 'statesMax'],
    [{ depthMax: 10 }, 'depthMax'],
    [{ millisMax: 0 }, 'millisMax'],
    [{ bytesMax: 400_000 }, 'bytesMax'],
  ];
  for (const strategy of [breadthFirst, depthFirst]) {
    for (const [limits, cut] of cases) {
      const result = search(grid(3, 60, -1), { strategy, limits });
      t.match(result, { verdict: 'undecided', complete: false, cut }, `${strategy.kind} ${cut}`);
      t.equal(result.properties[0]?.verdict, 'undecided');
      t.ok((result.distinctStates ?? 0) <= (limits.statesMax ?? Number.POSITIVE_INFINITY));
      t.ok(result.bytes <= Math.max(limits.bytesMax ?? Number.POSITIVE_INFINITY, 300_000));
      t.ok(result.depth <= (limits.depthMax ?? Number.POSITIVE_INFINITY));
    }
  }
});

t.test('a bound that is just not reached cuts nothing', async (t) => {
  for (const strategy of [breadthFirst, depthFirst]) {
    const limits = { statesMax: 216, depthMax: 15, millisMax: 60_000, bytesMax: 2 ** 24 };
    t.match(search(grid(3, 5, -1), { strategy, limits }), {
      verdict: 'holds',
      complete: true,
      cut: null,
      distinctStates: 216,
    });
  }
  t.match(search(grid(3, 5, -1), { limits: { depthMax: 14 } }), {
    cut: 'depthMax',
    depth: 14,
    distinctStates: 215,
  });
});

t.test(
  'a violation found before a bound stays violated and minimal, but not exhaustive when its level was cut',
  async (t) => {
    const early = search(grid(2, 100, 5), { limits: { statesMax: 1000 } });
    t.match(early, { verdict: 'violated', cut: 'statesMax' });
    t.match(early.properties[0]?.evidence, {
      depth: 5,
      minimal: true,
      exhaustive: true,
      paths: 32,
    });
    // 18 states: the first five levels have 15, the sixth is only begun.
    const begun = search(grid(2, 100, 5), { limits: { statesMax: 18 } });
    t.match(begun.properties[0]?.evidence, {
      depth: 5,
      minimal: true,
      exhaustive: false,
      states: 3,
    });
  },
);

t.test('stopAtFirstViolation finishes the level and leaves the rest undecided', async (t) => {
  const result = search(grid(2, 100, 5), { stopAtFirstViolation: true });
  t.match(result, { verdict: 'violated', cut: 'firstViolation', depth: 5, distinctStates: 21 });
  t.match(result.properties[0]?.evidence, { exhaustive: true, states: 6, paths: 32 });
  t.equal(result.properties[1]?.verdict, 'undecided');
  t.match(search(grid(2, 100, 5), { stopAtFirstViolation: true, strategy: depthFirst }), {
    verdict: 'violated',
    cut: 'firstViolation',
  });
});

t.test(
  'a random walk is named by its seed, never complete, and shrunk to a local minimum',
  async (t) => {
    const model = jugs();
    const options: SearchOptions = {
      strategy: { kind: 'random-walk', seed: 7, walks: 20 },
      limits: { depthMax: 200 },
    };
    const result = search(model, options);
    t.match(result, { verdict: 'violated', complete: false, cut: 'walks', distinctStates: null });
    t.equal(result.properties[3]?.verdict, 'undecided');
    const evidence = result.properties[1]?.evidence;
    t.match(evidence, { minimal: false, exhaustive: false });
    const { millis: _, ...figures } = result;
    const { millis: __, ...again } = search(model, options);
    t.same(again, figures, 'the same seed gives the same walks');
    const path = evidence?.groups[0]?.listed[0] ?? [];
    t.ok(path.length >= 6 && path.length < 12, `${path.length} steps`);
    t.equal(walkTo(model, path).found & 2, 2);
  },
);

t.test('shrinking cuts loops and single actions and keeps the property', async (t) => {
  const model = grid(2, 30, 0);
  const tooFar: Model = { ...model, check: (states, at) => ((states[at] as number) >= 3 ? 1 : 0) };
  t.same(shrink(tooFar, [1, 1, 0, 1, 0, 1, 1, 0], 1), [0, 0, 0]);
  t.throws(() => shrink(tooFar, [1, 1], 1), /does not end in a state/);
});

t.test('the random numbers are the same everywhere', async (t) => {
  const random = new Random(1, 2);
  const first = Array.from({ length: 3 }, () => random.next());
  const again = new Random(1, 2);
  t.same(
    Array.from({ length: 3 }, () => again.next()),
    first,
  );
  t.notSame(new Random(1, 3).next(), first[0]);
  const dice = Array.from({ length: 6000 }, () => random.below(6));
  for (let face = 0; face < 6; face++)
    t.ok(Math.abs(dice.filter((die) => die === face).length - 1000) < 150);
});

t.test(
  'the table is exact against a plain Set, single and in batches, with zero words and growth',
  async (t) => {
    for (const words of [1, 2, 3, 6, 16]) {
      const table = new VisitedTable(words, 2 ** 28);
      const random = new Random(words);
      const seen = new Set<string>();
      const batch = new Int32Array(300 * words);
      for (let turn = 0; turn < 200; turn++) {
        for (let i = 0; i < batch.length; i++)
          batch[i] = random.below(4) === 0 ? 0 : (random.next() | 0) >> (30 - (turn % 20));
        if (table.reserve(300) !== null) t.fail('no room');
        if (turn % 2 === 0) table.insertBatch(batch, 300);
        else for (let k = 0; k < 300; k++) table.insert(batch, k * words);
        for (let k = 0; k < 300; k++) seen.add(batch.subarray(k * words, (k + 1) * words).join());
      }
      t.equal(table.count, seen.size);
      for (let index = 0; index < table.count; index++) {
        if (table.find(table.states, index * words) !== index)
          t.fail(`state ${index} of ${words} words is lost`);
      }
    }
  },
);

t.test('broken options and models are refused', async (t) => {
  t.throws(() => search(jugs(), { fold: true }), /fold needs a model with canonical/);
  t.throws(
    () => search(jugs(), { limits: { statesMax: 0.5 } }),
    /statesMax must be a whole number/,
  );
  t.throws(() => search({ ...jugs(), words: 17 }), /words must be 1 to 16/);
  t.throws(() => search({ ...jugs(), successorsMax: 5 }), /model error: a state has 6 successors/);
  t.throws(
    () => search({ ...jugs(), check: () => 1 << 20 }),
    /names a property that does not exist/,
  );
});

function binomial(n: number, k: number): number {
  return k === 0 ? 1 : Math.round((binomial(n - 1, k - 1) * n) / k);
}

t.test('ranges of walks add up to the walks of the strategy, however they are cut', async (t) => {
  const model = jugs();
  const range = { seed: 7, first: 0, walks: 20, stepsMax: 200 };
  const whole = walkRange(model, range);
  const parts = [0, 3, 10].map((first, at) =>
    walkRange(model, { ...range, first, walks: [3, 7, 10][at] ?? 0 }),
  );
  t.equal(
    parts.reduce((sum, { steps }) => sum + steps, 0),
    whole.steps,
  );
  const { properties } = search(model, {
    strategy: { kind: 'random-walk', seed: 7, walks: 20 },
    limits: { depthMax: 200 },
  });
  whole.found.forEach((found, p) => {
    t.equal(found.count, properties[p]?.count, 'as many as the strategy finds');
    t.equal(
      parts.reduce((sum, part) => sum + (part.found[p]?.count ?? 0), 0),
      found.count,
    );
    const lowest = parts.map((part) => part.found[p]).find((one) => (one?.count ?? 0) > 0);
    t.same([lowest?.walk ?? -1, lowest?.steps ?? -1], [found.walk, found.steps]);
    const path = pathOfWalk(model, { seed: 7, stepsMax: 200, walk: Math.max(found.walk, 0) }, p);
    t.equal(path?.length ?? -1, found.steps, 'and the walk can be taken once more');
    if (path !== null) t.not(walkTo(model, path).found & (1 << p), 0);
  });
});

t.test('a walk that has found everything ends, and what it found is the same', async (t) => {
  const model = grid(2, 30, 3);
  const everything = new Walker(model, 100, 1);
  const whole = new Walker(model, 100);
  for (let walk = 0; walk < 20; walk++) {
    everything.take(new Random(1, walk));
    whole.take(new Random(1, walk));
    const first = whole.firsts[0] ?? -1;
    t.equal(everything.firsts[0], first);
    t.equal(everything.length, first < 0 ? whole.length : first);
    t.same(everything.path(), whole.path(everything.length));
  }
});

t.test('a shortcut is the shortest way through the states a path visits', async (t) => {
  // 1 -> 2 -> 3 -> 4 -> 5 with a bridge from 2 to 4; 6 is a way to 5 that the path does not come by.
  const model = graph({ 1: [2, 6], 2: [3, 1, 4], 3: [4, 2], 4: [5], 6: [5] }, [5]);
  t.same(shortcut(model, [0, 0, 1, 1, 0, 0, 0, 0]), [0, 2, 0]);
  t.same(shortcut(model, [0, 1]), [], 'a loop is no way at all');
  t.same(shortcut(model, []), []);
  const long = Array.from({ length: 100_000 }, (_, at) => (at % 2 === 0 ? 0 : 1));
  t.same(shortcut(model, [...long, 0, 2, 0]), [0, 2, 0]);
});

t.test('shrinking stops when its work is done, with what it has by then', async (t) => {
  const model = grid(2, 30, 0);
  const tooFar: Model = { ...model, check: (states, at) => ((states[at] as number) >= 3 ? 1 : 0) };
  const path = [1, 1, 0, 1, 0, 1, 1, 0];
  t.same(shrink(tooFar, path, 1, 0), path);
  const some = shrink(tooFar, path, 1, 56);
  t.ok(some.length > 3 && some.length < path.length, `${some.length} steps`);
  t.equal(walkTo(tooFar, some).found, 1);
  t.same(shrink(tooFar, path, 1, 1000), [0, 0, 0]);
});

t.test('every name has a seed of its own under every seed', async (t) => {
  const names = Array.from({ length: 1000 }, (_, at) => `cell ${at}`);
  const seeds = names.flatMap((name) => [seedFor(1, name), seedFor(2, name)]);
  t.equal(new Set(seeds).size, 2000);
  t.equal(seedFor(1, 'a name'), seedFor(1, 'a name'));
  t.ok(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32));
});
