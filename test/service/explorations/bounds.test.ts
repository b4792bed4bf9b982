/** Searches within bounds, and in other orders than breadth-first. */
import t from 'tap';
import { optionsOf } from '../../../src/service/explorations/bounded-search.js';
import { app, ended, HUGE, SMALL } from './lab.js';

t.test('a bound that cuts a search makes it undecided, and it says which', async (t) => {
  const cuts = [
    [{ depth: 5 }, 'depthMax'],
    [{ states: 1000 }, 'statesMax'],
    [{ states: 1 }, 'statesMax'],
    [{ states: 50_000 }, 'statesMax'],
    [{ seconds: 0.01 }, 'millisMax'],
    [{ seconds: 0.4 }, 'millisMax'],
    [{ megabytes: 1 }, 'bytesMax'],
    [{ megabytes: 8 }, 'bytesMax'],
  ] as const;
  for (const [bounds, cut] of cuts) {
    const name = JSON.stringify(bounds);
    const result = await ended(t, { model: HUGE, properties: ['I11'], fold: false, bounds });
    t.match(result, { state: 'succeeded', verdict: 'undecided', complete: false, cut }, name);
    t.equal(result.properties[0]?.verdict, 'undecided', name);
    if ('states' in bounds) t.ok((result.distinct_states ?? 0) <= bounds.states + 128, name);
    if ('depth' in bounds) t.equal(result.depth, bounds.depth, name);
    if ('megabytes' in bounds) {
      const megabytes = (result.bytes_per_state * (result.distinct_states ?? 0)) / 2 ** 20;
      t.ok(megabytes <= bounds.megabytes, `${name}: ${megabytes} MB`);
    }
  }
});

t.test('a search whose request sets no bounds is bounded all the same', async (t) => {
  const boundsOf = (bounds?: object) =>
    optionsOf({ scenario: 'main-race-late', ...(bounds && { bounds }) }, true, 1000).limits;
  const minute = { millisMax: 60_000, bytesMax: 1000 * 2 ** 20 };
  t.match(boundsOf(), minute, 'so that it gives its place back');
  t.match(boundsOf({ states: 10 }), { ...minute, statesMax: 10 });
  t.match(boundsOf({ seconds: 3600, megabytes: 100 }), {
    millisMax: 3_600_000,
    bytesMax: 100 * 2 ** 20,
  });
});

t.test('a violation found before the bound is a violation all the same', async (t) => {
  const result = await ended(t, { model: HUGE, properties: ['I1'], bounds: { states: 40_000 } });
  t.match(result, { verdict: 'violated', complete: false });
  t.ok(result.cut !== null);
});

t.test('the number of NMIs can be bounded where the model leaves it open', async (t) => {
  const one = await ended(t, { model: SMALL, properties: ['I1'], bounds: { nmis: 1 } });
  t.equal(one.model.actors?.[0]?.budget, 1);
  const any = await ended(t, { model: SMALL, properties: ['I1'] });
  t.equal(any.model.actors?.[0]?.budget, undefined);
});

t.test('depth-first finds the violation too, on a path that replays', async (t) => {
  const bfs = await ended(t, { model: SMALL, properties: ['I1', 'I7e'] });
  const dfs = await ended(t, { model: SMALL, properties: ['I1', 'I7e'], strategy: 'dfs' });
  t.match(dfs, { verdict: 'violated', complete: true, distinct_states: bfs.distinct_states });
  t.equal(dfs.total_states, bfs.total_states);
  t.strictSame(
    dfs.properties.map(({ verdict }) => verdict),
    bfs.properties.map(({ verdict }) => verdict),
  );
  const { path = '', steps = 0 } = dfs.properties[0]?.counterexample ?? {};
  t.ok(steps >= (bfs.properties[0]?.counterexample?.steps ?? 0));
  const state = await app.inject(`/v1/explorations/${dfs.id}/states/${path}`);
  t.match(state.json(), { violated: ['I1'] });
});

t.test(
  'random walks find the violation, the same for a seed; they never show that it holds',
  async (t) => {
    const request = { model: SMALL, properties: ['I1'], strategy: 'random', seed: 7, walks: 400 };
    const [once, again] = [await ended(t, request), await ended(t, request)];
    t.match(once, { verdict: 'violated', distinct_states: null });
    t.strictSame(once.properties, again.properties);
    const path = once.properties[0]?.counterexample?.path ?? '';
    const state = await app.inject(`/v1/explorations/${once.id}/states/${path}`);
    t.match(state.json(), { violated: ['I1'] });
    const landed = { ...SMALL, kernel: 'linux-6.12.117' };
    const holds = await ended(t, { ...request, model: landed });
    t.match(holds, { verdict: 'undecided', complete: false });
  },
);
