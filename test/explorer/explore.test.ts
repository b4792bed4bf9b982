// The facade: worker threads, progress, cancelling, crashes.
import t from 'tap';
import { type ExploreOptions, explore, type Progress } from '../../src/explorer/explore.js';
import type { ExploreResult } from '../../src/explorer/result.js';
import { search } from '../../src/explorer/search.js';
import { createReferenceModel, type ReferenceArgs } from './reference-model.js';
import { createModel, type ToyArgs } from './toy-models.js';

const toy = (args: ToyArgs) => ({ module: new URL('./toy-models.js', import.meta.url).href, args });
const reference = (args: ReferenceArgs) => ({
  module: new URL('./reference-model.js', import.meta.url).href,
  args,
});
const world: ReferenceArgs = {
  counters: 2,
  vcpus: 2,
  guestCounters: 1,
  variant: 'baseline',
  lateNmi: true,
};
const large: ReferenceArgs = {
  counters: 4,
  vcpus: 2,
  guestCounters: 0,
  variant: 'baseline',
  lateNmi: true,
};

/** All that must not depend on workers, run or time. */
const facts = ({ millis: _, bytes: __, ...rest }: ExploreResult) => rest;

t.test(
  'counts, depth and all minimal counterexamples are the same for 1, 2 and 3 workers, three times',
  async (t) => {
    const alone = facts(search(createReferenceModel(world)));
    t.match(alone, { distinctStates: 69_312, totalStates: 138_532, depth: 71 });
    for (let run = 0; run < 3; run++) {
      for (const workers of run === 0 ? [2, 3] : [2])
        t.same(
          facts(await explore(reference(world), { workers })),
          alone,
          `${workers} workers, run ${run}`,
        );
    }
    t.same(facts(await explore(reference(world), { workers: 1 })), alone);
  },
);

t.test(
  'several workers fold, stop at the first violation and search models of any width alike',
  async (t) => {
    const cases: readonly (readonly [ToyArgs, ExploreOptions])[] = [
      [{ toy: 'grid', counters: 4, top: 9, goal: 12 }, { fold: true }],
      [{ toy: 'grid', counters: 3, top: 20, goal: 12 }, { stopAtFirstViolation: true }],
      [{ toy: 'grid', counters: 6, top: 4, goal: 25 }, {}],
      [{ toy: 'jugs' }, {}],
      [{ toy: 'graph', edges: { 1: [2, 3, 2], 2: [4], 3: [4], 4: [1] }, bad: [1] }, {}],
      [{ toy: 'grid', counters: 3, top: 20, goal: 30 }, { limits: { depthMax: 29 } }],
    ];
    for (const [i, [args, options]] of cases.entries()) {
      const alone = facts(search(createModel(args), options));
      for (const workers of i === 0 ? [1, 2, 3] : [2])
        t.same(
          facts(await explore(toy(args), { ...options, workers })),
          alone,
          `${JSON.stringify(args)} with ${workers} workers`,
        );
    }
  },
);

t.test('random walks find the same run with any number of workers', async (t) => {
  const strategy = { kind: 'random-walk', seed: 3, walks: 60 } as const;
  const alone = search(createModel({ toy: 'jugs' }), { strategy, limits: { depthMax: 30 } });
  t.equal(alone.verdict, 'violated');
  for (const workers of [1, 2, 3])
    t.same(
      facts(await explore(toy({ toy: 'jugs' }), { strategy, limits: { depthMax: 30 }, workers })),
      facts(alone),
    );
});

t.test('a bound cuts two workers as it cuts one', async (t) => {
  for (const limits of [
    { statesMax: 20_000 },
    { depthMax: 20 },
    { millisMax: 1 },
    { bytesMax: 2 ** 21 },
  ]) {
    const result = await explore(reference(large), { workers: 2, limits });
    t.match(result, { complete: false, cut: Object.keys(limits)[0] });
    t.equal(result.properties[1]?.verdict, 'undecided');
    t.ok((result.distinctStates ?? 0) <= (limits.statesMax ?? Number.POSITIVE_INFINITY) + 10_000);
  }
});

t.test('a cancelled search ends, undecided, with what it had seen', async (t) => {
  for (const options of [
    { workers: 1 },
    { workers: 2 },
    { strategy: { kind: 'depth-first' } },
    { strategy: { kind: 'random-walk', seed: 1, walks: 1e9 } },
  ] as const) {
    const controller = new AbortController();
    let aborted = 0;
    let seen = 0;
    const running = explore(reference(large), options, {
      signal: controller.signal,
      progressMillis: 20,
      onProgress: ({ transitions }) => {
        if (transitions === 0 || seen > 0) return;
        seen = transitions;
        aborted = performance.now();
        controller.abort();
      },
    });
    const result = await running;
    const millis = performance.now() - aborted;
    t.match(result, { cut: 'cancelled', complete: false });
    t.ok(result.totalStates >= seen && seen > 0);
    t.comment(`ended after ${millis.toFixed(0)} ms (aim 200)`);
  }
});

t.test('a search cancelled before it began ends, and so does one whose model hangs', async (t) => {
  t.match(await explore(reference(large), {}, { signal: AbortSignal.abort() }), {
    verdict: 'undecided',
    cut: 'cancelled',
  });
  t.match(await explore(toy({ toy: 'stuck' }), {}, { signal: AbortSignal.timeout(300) }), {
    verdict: 'undecided',
    cut: 'cancelled',
  });
});

t.test('a worker that crashes rejects, one that runs out of heap is undecided', async (t) => {
  await t.rejects(explore(toy({ toy: 'crash' })), /search worker failed: the model fell over/);
  await t.rejects(explore(toy({ toy: 'crash' }), { workers: 2 }), /the model fell over/);
  await t.rejects(explore({ module: 'file:///nowhere.js', args: {} }), /search worker failed/);
  await t.rejects(
    explore({ module: new URL('../../src/explorer/prng.js', import.meta.url).href, args: {} }),
    /exports no createModel/,
  );
  t.match(await explore(toy({ toy: 'hog' }), { heapMegabytesMax: 16 }), {
    verdict: 'undecided',
    cut: 'memory',
  });
});

t.test('broken options are refused before a worker starts', async (t) => {
  await t.rejects(
    explore(toy({ toy: 'jugs' }), { workers: 0 }),
    /workers must be a whole number from 1/,
  );
  await t.rejects(
    explore(toy({ toy: 'jugs' }), { workers: 2, strategy: { kind: 'depth-first' } }),
    /depth-first search takes one worker/,
  );
});

t.test('progress shows growing counts, memory and a rate', async (t) => {
  const reports: Progress[] = [];
  const enough = new AbortController();
  const result = await explore(
    reference(large),
    { workers: 2 },
    {
      progressMillis: 20,
      signal: enough.signal,
      onProgress: (progress) => {
        reports.push(progress);
        // As long as it takes: a machine that is busy may give the search no time between two reports.
        const growing = reports.filter(({ statesPerSecond }) => statesPerSecond > 0);
        if (growing.length > 3) enough.abort();
      },
    },
  );
  const last = reports.at(-1);
  t.ok(
    reports.every((report, i) => i === 0 || report.states >= (reports[i - 1] as Progress).states),
  );
  t.ok((last?.states ?? 0) > 0 && (last?.states ?? 0) <= (result.distinctStates ?? 0));
  t.ok((last?.bytes ?? 0) > 0 && (last?.depth ?? 0) > 0);
});
