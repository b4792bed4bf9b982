// A search that goes on from the levels that an earlier run has kept finds what an undisturbed one finds.
import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Limits } from '../../src/explorer/budget.js';
import { explore } from '../../src/explorer/explore.js';
import type { ExploreResult } from '../../src/explorer/result.js';
import { search } from '../../src/explorer/search.js';
import { createReferenceModel, type ReferenceArgs } from './reference-model.js';
import { grid } from './toy-models.js';

const WORLD: ReferenceArgs = {
  counters: 2,
  vcpus: 2,
  guestCounters: 1,
  variant: 'baseline',
  lateNmi: true,
};
const SOURCE = { module: new URL('./reference-model.js', import.meta.url).href, args: WORLD };
const BYTES_MAX = 2 ** 24;

/** All that must not depend on workers, run or time. */
const facts = ({ millis: _, bytes: __, restoredStates: ___, ...rest }: ExploreResult) => rest;
const undisturbed = search(createReferenceModel(WORLD));

const run = (folder: string, workers: number, limits: Limits = {}, bytesMax = BYTES_MAX) =>
  explore(SOURCE, { workers, limits, keep: { folder, bytesMax } });

for (const workers of [1, 2]) {
  t.test(`${workers} workers, stopped within a level and between levels`, async (t) => {
    const folder = t.testdir();
    const stops: Limits[] = [{ statesMax: 3000 }, { depthMax: 20 }, { statesMax: 40_000 }];
    let before = 0;
    for (const limits of stops) {
      const stopped = await run(folder, workers, limits);
      t.notOk(stopped.complete);
      t.ok(stopped.restoredStates >= before, `took up ${stopped.restoredStates} states`);
      before = stopped.restoredStates;
    }
    const whole = await run(folder, workers);
    t.ok(whole.restoredStates > 3000, `took up ${whole.restoredStates} states`);
    t.same(facts(whole), facts(undisturbed));
    const again = await run(folder, workers);
    t.equal(again.restoredStates, undisturbed.distinctStates, 'every level was kept');
    t.same(facts(again), facts(undisturbed));
  });
}

t.test('stopped at any moment, again and again', async (t) => {
  const folder = t.testdir();
  let stops = 0;
  for (;;) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 60 + 60 * stops);
    const options = { workers: 2, keep: { folder, bytesMax: BYTES_MAX } };
    const result = await explore(SOURCE, options, { signal: stop.signal });
    clearTimeout(timer);
    if (result.complete) {
      t.same(facts(result), facts(undisturbed), `after ${stops} stops`);
      break;
    }
    stops += 1;
  }
});

t.test(
  'a violation found before the stop is found again, and ends the search where it is to',
  async (t) => {
    const model = grid(3, 12, 9);
    const options = { stopAtFirstViolation: true };
    const alone = search(model, options);
    const keep = { folder: t.testdir(), bytesMax: BYTES_MAX };
    for (const depthMax of [4, 9, 9]) search(model, { ...options, keep, limits: { depthMax } });
    const taken = search(model, { ...options, keep });
    t.ok(taken.restoredStates > 0);
    t.equal(taken.cut, 'firstViolation');
    t.same(facts(taken), facts(alone));
  },
);

t.test('folded', async (t) => {
  const model = grid(3, 20, 61);
  const keep = { folder: t.testdir(), bytesMax: BYTES_MAX };
  search(model, { fold: true, keep, limits: { depthMax: 30 } });
  const taken = search(model, { fold: true, keep });
  t.ok(taken.restoredStates > 0);
  t.same(facts(taken), facts(search(model, { fold: true })));
});

t.test('what a crash can leave behind is not taken for a level', async (t) => {
  const damages: Record<string, (states: string, levels: string) => void> = {
    'states that end too early': (states) => truncateSync(states, 1001),
    'states that are not what they were': (states) => {
      const bytes = readFileSync(states);
      bytes[500] = (bytes[500] as number) ^ 1;
      writeFileSync(states, bytes);
    },
    'half a record': (_, levels) => truncateSync(levels, 5 * 32 + 7),
    'rubbish behind the records': (_, levels) => appendFileSync(levels, Buffer.alloc(64, 0xa5)),
    'rubbish behind the states': (states) => appendFileSync(states, Buffer.alloc(100, 0xa5)),
    'no records': (_, levels) => truncateSync(levels, 0),
  };
  const model = createReferenceModel(WORLD);
  for (const [name, damage] of Object.entries(damages)) {
    const folder = t.testdir();
    const keep = { folder, bytesMax: BYTES_MAX };
    search(model, { keep, limits: { depthMax: 30 } });
    damage(join(folder, 'states-0-of-1'), join(folder, 'levels-0-of-1'));
    t.same(facts(search(model, { keep })), facts(undisturbed), name);
  }
});

t.test(
  'workers whose files reach further than those of others go back to where all were',
  async (t) => {
    const folder = t.testdir();
    await run(folder, 2, { depthMax: 30 });
    truncateSync(join(folder, 'levels-1-of-2'), 10 * 32);
    const taken = await run(folder, 2);
    t.ok(taken.restoredStates > 0);
    t.same(facts(taken), facts(undisturbed));
  },
);

t.test('where nothing can be kept, or too little, the search goes on without', async (t) => {
  const absent = join(t.testdir(), 'absent');
  t.same(facts(await run(absent, 1)), facts(undisturbed), 'no folder');
  const folder = t.testdir();
  t.same(facts(await run(folder, 1, {}, 100_000)), facts(undisturbed), 'a bound that is reached');
  t.same(readdirSync(folder), [], 'and the files are gone');
});
