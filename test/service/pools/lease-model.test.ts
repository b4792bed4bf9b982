/** Every interleaving of the lease protocol, by the explorer that was made for those of perf and KVM. */
import t from 'tap';
import { walkTo } from '../../../src/explorer/path.js';
import { regionsOf } from '../../../src/explorer/regions.js';
import { search } from '../../../src/explorer/search.js';
import { stateGraph } from '../../../src/explorer/state-graph.js';
import { LeaseModel, type LeaseWorld, PROPERTIES } from './lease-model.js';

const AS_BUILT = { fence: true, locks: true, index: true } as const;
/** Two machines at one run, tried twice: both instances are asked about it at once, and die at any point. */
const ONE_RUN: LeaseWorld = { ...AS_BUILT, runs: 1, machines: 2, attempts: 2, instances: 2 };
/** Both instances are asked for the same machine at once. */
const ONE_MACHINE: LeaseWorld = { ...AS_BUILT, runs: 2, machines: 1, attempts: 1, instances: 2 };

const ALWAYS = PROPERTIES.filter(({ kind }) => kind === 'always').map(({ id }) => id);

function explore(world: LeaseWorld) {
  const model = new LeaseModel(world);
  const result = search(model);
  const verdicts: Record<string, string> = {};
  for (const { id, verdict } of result.properties) verdicts[id] = verdict;
  return { model, result, verdicts };
}

t.test('as it is built, nothing can go wrong', async (t) => {
  for (const world of [ONE_RUN, ONE_MACHINE]) {
    const { result, verdicts } = explore(world);
    const { distinctStates, totalStates, depth, complete } = result;
    t.comment(`${distinctStates} states, ${totalStates} transitions, depth ${depth}`);
    t.ok(complete, 'every state was seen');
    for (const id of ALWAYS) t.equal(verdicts[id], 'holds', id);
    t.equal(verdicts['all-ended'], 'witnessed');
    t.equal(verdicts['late-report-kept'], 'witnessed');
    t.equal(verdicts['cancelled-while-held'], 'witnessed');
  }
});

t.test('a run is tried again, and from everywhere it can come to its end', async (t) => {
  const model = new LeaseModel(ONE_RUN);
  const bounds = { statesMax: 1e6, transitionsMax: 1e7, bytesMax: 2 ** 30 };
  const graph = stateGraph(model, { ...bounds, fold: false });
  t.ok(graph.complete);
  const bit = (id: string) => PROPERTIES.findIndex((property) => property.id === id);
  const { steps } = regionsOf(graph, bit('all-ended'));
  t.equal(steps.indexOf(-1), -1, 'no state is without a way to the end');
  t.ok(
    graph.found.some((found) => (found & (1 << bit('tried-again-and-passed'))) !== 0),
    'a second attempt passes',
  );
});

/** What is violated where a part of the protocol is left out, with the shortest way to it. */
for (const { without, world, broken } of [
  { without: 'fencing tokens', world: { ...ONE_RUN, fence: false }, broken: 'one-holder' },
  { without: 'locks', world: { ...ONE_RUN, locks: false }, broken: 'one-holder' },
  {
    without: 'the index',
    world: { ...ONE_MACHINE, index: false },
    broken: 'one-lease-per-machine',
  },
] as const) {
  t.test(`without ${without} it would go wrong`, async (t) => {
    const model = new LeaseModel(world);
    const { properties } = search(model, { stopAtFirstViolation: true });
    const found = properties.find(({ id }) => id === broken);
    t.equal(found?.verdict, 'violated', broken);
    const path = found?.evidence?.groups[0]?.listed[0] ?? [];
    t.ok(path.length > 3, 'after a while');
    for (const { state } of walkTo(model, path).steps) t.comment(model.describe(state, 0));
  });
}
