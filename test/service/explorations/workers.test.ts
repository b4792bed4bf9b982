/** The same search by one worker or several finds the same. */
import t from 'tap';
import type { Exploration } from '../../../schemas/exploration.js';
import type { ExplorationModel } from '../../../schemas/exploration-model.js';
import { cancel, ended, MIDDLE, started } from './lab.js';

/** All that a search found, without what depends on the clock. */
function findings(exploration: Exploration): unknown {
  const { verdict, complete, cut, distinct_states, total_states, depth, properties } = exploration;
  return { verdict, complete, cut, distinct_states, total_states, depth, properties };
}

t.test(
  'one worker or two, in four runs, and after a cancelled one: the same findings',
  async (t) => {
    const model: object = MIDDLE satisfies object as ExplorationModel;
    const request = { model, properties: ['I1', 'I2', 'event_throttled'], fold: false };
    const first = await ended(t, { ...request, workers: 1 });
    t.match(first, { state: 'succeeded', verdict: 'violated', complete: true });
    t.comment(`${first.distinct_states} states`);
    t.ok((first.distinct_states ?? 0) > 20_000, 'a world of some size');
    for (let nth = 0; nth < 4; nth += 1) {
      if (nth === 2) await cancel(t, await started(t, { ...request, workers: 2 }));
      const result = await ended(t, { ...request, workers: 1 + (nth % 2) });
      t.strictSame(findings(result), findings(first), `run ${nth}, ${1 + (nth % 2)} workers`);
    }
  },
);
