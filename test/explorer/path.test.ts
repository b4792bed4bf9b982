// Paths: the text of a run and its replay.
import t from 'tap';
import {
  formatPath,
  formatStoredPath,
  PathError,
  parsePath,
  replay,
  walkTo,
} from '../../src/explorer/path.js';
import { graph, jugs } from './toy-models.js';

t.test('a path prints and parses in both forms', async (t) => {
  for (const path of [[], [0], [0, 3, 1], [10, 0, 255]]) {
    t.same(parsePath(formatPath(path)), path);
    t.same(parsePath(formatStoredPath(path)), path);
  }
  t.equal(formatPath([0, 3, 1]), '0/3/1');
  t.equal(formatStoredPath([0, 3, 1]), 'v1:0/3/1');
  t.equal(formatStoredPath([]), 'v1:');
});

t.test('text that is no path is refused with the reason', async (t) => {
  for (const text of ['0/', '/', 'a', '-1', '01', '1.5', '0//1', '1e3', ' 1'])
    t.throws(() => parsePath(text), PathError, text);
  t.throws(() => parsePath('v2:0/1'), /version "v2" is unknown/);
});

t.test('walking to a path shows the state, the way there and the way on', async (t) => {
  const model = jugs();
  const place = walkTo(model, parsePath('1/5'));
  t.equal(model.describe(place.state, 0), 'small 3, big 2');
  t.same(
    place.steps.map(({ index, label }) => ({ index, label })),
    [
      { index: 1, label: 1 },
      { index: 5, label: 5 },
    ],
  );
  t.equal(place.successors.length, 6);
  t.equal(place.found, 0);
  t.equal(model.describe(walkTo(model, []).state, 0), 'small 0, big 0');
});

t.test('a path that leaves the model says at which step and the likely cause', async (t) => {
  const model = graph({ 1: [2, 3], 2: [] });
  try {
    replay(model, [0, 4]);
    t.fail('the path cannot be taken');
  } catch (error) {
    t.ok(error instanceof PathError);
    t.equal((error as PathError).step, 1);
    t.match(
      (error as PathError).message,
      /step 1 of the path takes successor 4, but the state there has no successor at all: node 2\. Likely .*another model.*not deterministic/,
    );
  }
  t.throws(() => replay(model, [2]), /only successors 0 to 1/);
});
