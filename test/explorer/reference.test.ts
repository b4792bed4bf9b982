// The reference transition system: counts and shortest traces that SPIN, TLC, rumur, Stateright and C agree on.
import t from 'tap';
import { explore } from '../../src/explorer/explore.js';
import { replay, walkTo } from '../../src/explorer/path.js';
import { search } from '../../src/explorer/search.js';
import { createReferenceModel, type ReferenceArgs, referenceVariants } from './reference-model.js';

const args = (
  counters: number,
  vcpus: number,
  guestCounters: number,
  variant: number,
  skid: number,
): ReferenceArgs => ({
  counters,
  vcpus,
  guestCounters,
  variant: referenceVariants[variant] ?? 'baseline',
  lateNmi: skid === 1,
});
const source = (world: ReferenceArgs) => ({
  module: new URL('./reference-model.js', import.meta.url).href,
  args: world,
});

/**
 * From the reference's own C (`cref`): counters, vCPUs, guest counters, variant, skid; states, transitions, depth,
 * states with a stuck bit, lost, leak, and the depth of the first bad state (0: none).
 */
const pins = [
  [2, 1, 0, 0, 0, 2397, 3269, 56, 56, 0, 0, 19],
  [2, 1, 0, 0, 1, 5384, 10227, 57, 82, 0, 0, 20],
  [2, 1, 0, 1, 0, 2397, 3269, 56, 56, 0, 0, 19],
  [2, 1, 0, 1, 1, 5384, 10227, 57, 82, 0, 0, 20],
  [2, 1, 0, 2, 0, 395, 569, 25, 0, 0, 0, 0],
  [2, 1, 0, 2, 1, 1265, 2498, 41, 12, 0, 0, 25],
  [2, 1, 0, 3, 0, 1156, 1511, 49, 0, 0, 0, 0],
  [2, 1, 0, 3, 1, 6258, 11749, 60, 82, 0, 0, 21],
  [2, 1, 1, 0, 0, 2632, 3570, 61, 40, 0, 0, 19],
  [2, 1, 1, 0, 1, 7790, 15228, 61, 92, 0, 0, 20],
  [2, 1, 1, 1, 0, 2158, 2908, 48, 26, 0, 0, 19],
  [2, 1, 1, 1, 1, 4444, 7250, 51, 74, 0, 0, 20],
  [2, 1, 1, 2, 0, 652, 908, 34, 0, 0, 0, 0],
  [2, 1, 1, 2, 1, 2530, 4957, 51, 24, 0, 0, 25],
  [2, 1, 1, 3, 0, 1855, 2450, 54, 0, 0, 0, 0],
  [2, 1, 1, 3, 1, 8847, 16854, 64, 90, 0, 0, 21],
  [2, 2, 0, 0, 0, 16390, 22482, 67, 338, 0, 0, 19],
  [2, 2, 0, 0, 1, 31722, 59794, 68, 400, 0, 0, 20],
  [2, 2, 0, 1, 0, 16390, 22482, 67, 338, 0, 0, 19],
  [2, 2, 0, 1, 1, 31722, 59794, 68, 400, 0, 0, 20],
  [2, 2, 0, 2, 0, 616, 908, 25, 0, 0, 0, 0],
  [2, 2, 0, 2, 1, 1823, 3616, 41, 12, 0, 0, 25],
  [2, 2, 0, 3, 0, 6464, 8408, 60, 0, 0, 0, 0],
  [2, 2, 0, 3, 1, 38954, 72342, 72, 400, 0, 0, 21],
  [2, 2, 1, 0, 0, 24748, 34468, 69, 320, 0, 0, 19],
  [2, 2, 1, 0, 1, 69312, 138532, 71, 592, 0, 0, 20],
  [2, 2, 1, 1, 0, 27156, 37452, 68, 316, 0, 0, 19],
  [2, 2, 1, 1, 1, 51124, 84268, 70, 700, 0, 0, 20],
  [2, 2, 1, 2, 0, 1936, 2784, 34, 0, 0, 0, 0],
  [2, 2, 1, 2, 1, 7256, 14396, 51, 48, 0, 0, 25],
  [2, 2, 1, 3, 0, 16296, 21900, 65, 0, 0, 0, 0],
  [2, 2, 1, 3, 1, 82320, 158644, 75, 580, 0, 0, 21],
  [3, 1, 1, 0, 0, 26188, 37318, 78, 368, 0, 0, 19],
  [3, 1, 1, 0, 1, 101938, 227506, 80, 816, 0, 0, 20],
  [3, 1, 1, 1, 0, 25578, 36508, 64, 242, 0, 0, 19],
  [3, 1, 1, 1, 1, 76244, 150320, 66, 830, 0, 0, 20],
  [3, 1, 1, 2, 0, 3808, 5616, 43, 0, 0, 0, 0],
  [3, 1, 1, 2, 1, 20612, 46991, 68, 108, 0, 0, 25],
  [3, 1, 1, 3, 0, 15323, 21086, 70, 0, 0, 0, 0],
  [3, 1, 1, 3, 1, 111879, 244678, 83, 802, 0, 0, 21],
] as const;

t.test(
  'every variant, with prompt and late NMIs, has the counts and the shortest violation the C finds',
  async (t) => {
    for (const [
      counters,
      vcpus,
      guests,
      variant,
      skid,
      distinctStates,
      totalStates,
      depth,
      stuck,
      lost,
      leak,
      firstBad,
    ] of pins) {
      const result = search(createReferenceModel(args(counters, vcpus, guests, variant, skid)));
      const name = `N=${counters} V=${vcpus} G=${guests} ${referenceVariants[variant]} skid ${skid}`;
      t.match(
        result,
        {
          distinctStates,
          totalStates,
          depth,
          complete: true,
          verdict: firstBad > 0 ? 'violated' : 'holds',
        },
        name,
      );
      t.same(
        result.properties.map((property) => property.count),
        [stuck, lost, leak],
        name,
      );
      t.equal(result.properties[0]?.evidence?.depth ?? 0, firstBad, name);
    }
  },
);

t.test('L1 and L2 have the states, transitions and depth of the reference', async (t) => {
  t.match(search(createReferenceModel(args(2, 2, 0, 0, 0))), {
    distinctStates: 16_390,
    totalStates: 22_482,
    depth: 67,
  });
  t.match(search(createReferenceModel(args(3, 2, 1, 0, 0))), {
    distinctStates: 425_404,
    totalStates: 618_572,
    depth: 88,
  });
});

// One worker finds the same in smaller worlds.
t.test('L3 has 7,366,108 states with two workers, at no more than 34 bytes a state', async (t) => {
  const result = await explore(source(args(4, 2, 1, 0, 0)), { workers: 2 });
  t.match(result, {
    distinctStates: 7_366_108,
    totalStates: 11_254_088,
    depth: 105,
    complete: true,
    cut: null,
    widestLevel: 271_921,
  });
  t.equal(result.properties[0]?.count, 83_840);
  t.ok(result.bytes / 7_366_108 <= 34, `${(result.bytes / 7_366_108).toFixed(1)} bytes a state`);
});

/** The traces that come with the reference: action, then state. `noiso_19.txt` has the steps of `baseline_19.txt`. */
const expectedTraces: Readonly<Record<string, readonly string[]>> = {
  'baseline_19.txt': [
    '1 open event 0',
    'pc=0 act=0 hw=0 gc=3 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '2 start: cpuc->enabled=0, event 0',
    'pc=12 act=0 hw=0 gc=3 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '3 op: GLOBAL_CTRL=0',
    'pc=13 act=0 hw=0 gc=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '4 op: PEBS_ENABLE=0 if pebs_enabled',
    'pc=14 act=0 hw=0 gc=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '5 op: event active, pebs_enabled|=bit 0',
    'pc=15 act=1 hw=0 gc=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '6 op: cpuc->enabled=1',
    'pc=16 act=1 hw=0 gc=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '7 op: PEBS_ENABLE=pebs_enabled if any',
    'pc=17 act=1 hw=1 gc=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '8 op: GLOBAL_CTRL=intel_ctrl',
    'pc=0 act=1 hw=1 gc=3 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '9 local_irq_disable, vCPU 0',
    'pc=1 act=1 hw=1 gc=3 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '10 list: read pebs_enabled, GLOBAL_CTRL entry',
    'pc=2 act=1 hw=1 gc=3 arr{pebs 0/1 gc 3/2} vmcs0{0 0/0}',
    '11 list: second read, PEBS_ENABLE entry',
    'pc=3 act=1 hw=1 gc=3 arr{pebs 1/0 gc 3/2} vmcs0{0 0/0}',
    '12 NMI throttles event 0',
    'pc=3 act=0 hw=0 gc=3 arr{pebs 1/0 gc 3/2} vmcs0{0 0/0}',
    '13 VMCS GLOBAL_CTRL fields set or cleared',
    'pc=4 act=0 hw=0 gc=3 arr{pebs 1/0 gc 3/2} vmcs0{0 0/0}',
    '14 WRMSR PEBS_ENABLE,0',
    'pc=5 act=0 hw=0 gc=3 arr{pebs 1/0 gc 3/2} vmcs0{0 0/0}',
    '15 autoload: guest entry written',
    'pc=6 act=0 hw=0 gc=3 arr{pebs 1/0 gc 3/2} vmcs0{0 0/0}',
    '16 autoload: host entry written',
    'pc=8 act=0 hw=0 gc=3 arr{pebs 1/0 gc 3/2} vmcs0{1 1/0}',
    '17 VM-entry',
    'pc=9 act=0 hw=0 gc=2 arr{pebs 1/0 gc 3/2} vmcs0{1 1/0}',
    '18 VM-exit',
    'pc=10 act=0 hw=1 gc=3 arr{pebs 1/0 gc 3/2} vmcs0{1 1/0}',
    '19 local_irq_enable',
    'pc=0 act=0 hw=1 gc=3 arr{pebs 0/0 gc 0/0} vmcs0{1 1/0}',
  ],
  'v2_skid_25.txt': [
    '1 open event 0',
    'pc=0 act=0 hw=0 gc=3 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '2 start: cpuc->enabled=0, event 0',
    'pc=12 act=0 hw=0 gc=3 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '3 op: GLOBAL_CTRL=0',
    'pc=13 act=0 hw=0 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '4 op: PEBS_ENABLE=0 if pebs_enabled',
    'pc=14 act=0 hw=0 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '5 op: event active, pebs_enabled|=bit 0',
    'pc=15 act=1 hw=0 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '6 op: cpuc->enabled=1',
    'pc=16 act=1 hw=0 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '7 op: PEBS_ENABLE=pebs_enabled if any',
    'pc=17 act=1 hw=1 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '8 op: GLOBAL_CTRL=intel_ctrl',
    'pc=0 act=1 hw=1 gc=3 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '9 PEBS overflow latched, counter 0',
    'pc=0 act=1 hw=1 gc=3 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '10 open event 1',
    'pc=0 act=1 hw=1 gc=3 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '11 start: cpuc->enabled=0, event 1',
    'pc=12 act=1 hw=1 gc=3 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '12 op: GLOBAL_CTRL=0',
    'pc=13 act=1 hw=1 gc=0 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '13 op: PEBS_ENABLE=0 if pebs_enabled',
    'pc=14 act=1 hw=0 gc=0 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '14 op: event active, pebs_enabled|=bit 1',
    'pc=15 act=3 hw=0 gc=0 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '15 op: cpuc->enabled=1',
    'pc=16 act=3 hw=0 gc=0 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '16 op: PEBS_ENABLE=pebs_enabled if any',
    'pc=17 act=3 hw=3 gc=0 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '17 op: GLOBAL_CTRL=intel_ctrl',
    'pc=0 act=3 hw=3 gc=3 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '18 stop: cpuc->enabled=0, event 1',
    'pc=18 act=3 hw=3 gc=3 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '19 op: GLOBAL_CTRL=0',
    'pc=19 act=3 hw=3 gc=0 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '20 op: PEBS_ENABLE=0 if pebs_enabled',
    'pc=20 act=3 hw=0 gc=0 ovf=1 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '21 NMI throttles events in mask 1',
    'pc=20 act=2 hw=2 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '22 op: event off, pebs_enabled&=~bit 1',
    'pc=21 act=0 hw=2 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '23 op: cpuc->enabled=1',
    'pc=22 act=0 hw=2 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '24 op: PEBS_ENABLE=pebs_enabled if any',
    'pc=23 act=0 hw=2 gc=0 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
    '25 op: GLOBAL_CTRL=intel_ctrl',
    'pc=0 act=0 hw=2 gc=3 ovf=0 arr{pebs 0/0 gc 0/0} vmcs0{0 0/0}',
  ],
};

t.test('the shortest traces are those of the reference, step by step', async (t) => {
  const traces = [
    { file: 'baseline_19.txt', world: args(2, 1, 0, 0, 0) },
    { file: 'baseline_19.txt', world: args(2, 1, 0, 1, 0) },
    { file: 'v2_skid_25.txt', world: args(2, 1, 0, 2, 1) },
  ];
  for (const { file, world } of traces) {
    const model = createReferenceModel(world);
    const evidence = search(model, { pathsMax: 10_000, groupsMax: 10_000 }).properties[0]?.evidence;
    const told = (evidence?.groups ?? []).flatMap((group) =>
      group.listed.map((path) =>
        replay(model, path).flatMap((step, i) => [
          `${i + 1} ${model.describe(step.state, 0, step.label)}`,
          model.describe(step.state, 0),
        ]),
      ),
    );
    t.equal(told.length, evidence?.paths, `${file}: all shortest runs are listed`);
    const recorded = expectedTraces[file] ?? [];
    t.ok(
      told.some((lines) => lines.join('\n') === recorded.join('\n')),
      `${file} is among the shortest runs`,
    );
  }
});

t.test('each property of the reference is met at its depth whatever the strategy', async (t) => {
  const model = createReferenceModel(args(2, 1, 0, 0, 0));
  const deep = search(model, { strategy: { kind: 'depth-first' } });
  t.match(deep, { distinctStates: 2397, totalStates: 3269, verdict: 'violated' });
  t.ok((deep.properties[0]?.evidence?.depth ?? 0) >= 19);
  const walks = search(model, {
    strategy: { kind: 'random-walk', seed: 1, walks: 200 },
    stopAtFirstViolation: true,
  });
  t.equal(walks.verdict, 'violated');
  const path = walks.properties[0]?.evidence?.groups[0]?.listed[0] ?? [];
  t.ok(path.length >= 19 && path.length <= 40, `shrunk to ${path.length} steps`);
  t.equal(walkTo(model, path).found & 1, 1);
});

t.test('folding counters and vCPUs changes neither verdicts nor counterexamples', async (t) => {
  const folded = [
    { world: args(2, 2, 0, 0, 0), states: 4536 },
    { world: args(2, 2, 1, 0, 1), states: 36_970 },
    { world: args(3, 2, 1, 1, 0), states: 171_799 },
    { world: args(2, 2, 0, 2, 1), states: undefined },
    { world: args(3, 1, 1, 3, 0), states: undefined },
  ];
  for (const { world, states } of folded) {
    const plain = search(createReferenceModel(world));
    const fewer = search(createReferenceModel(world), { fold: true });
    if (states !== undefined) t.equal(fewer.distinctStates, states);
    t.ok((fewer.distinctStates ?? 0) < (plain.distinctStates ?? 0));
    t.equal(fewer.depth, plain.depth);
    t.same(
      fewer.properties.map(({ verdict, evidence }) => ({ verdict, evidence })),
      plain.properties.map(({ verdict, evidence }) => ({ verdict, evidence })),
    );
  }
});

t.test('L5 folds from 100,228,251 states to 1,133,246', async (t) => {
  const result = await explore(source(args(3, 4, 0, 0, 1)), { fold: true });
  t.match(result, { distinctStates: 1_133_246, depth: 123, verdict: 'violated', complete: true });
  t.equal(result.properties[0]?.evidence?.depth, 20);
});
