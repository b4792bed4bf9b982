/** The groups that the events of a recording may have been in. */
import t from 'tap';
import type { Clues } from '../../../src/observations/explain/clues.js';
import type { EventClue } from '../../../src/observations/explain/event-clues.js';
import { groupsOf } from '../../../src/observations/explain/groups.js';

const EVENT = {
  precise: false,
  guestOnly: false,
  dataCfgs: [0],
  adjusted: false,
  notAdjusted: false,
  moved: false,
  wasOn: null,
};

/** As lists of events, rare ones apart. */
function groupings(count: number, stoppedTogether: readonly (readonly number[])[]) {
  const events: EventClue[] = Array.from({ length: count }, (_, counter) => ({
    ...EVENT,
    counter,
  }));
  const all = [...groupsOf(events, { stoppedTogether } as unknown as Clues)];
  for (const { groups } of all) {
    const members = groups.flat();
    t.equal(new Set(members).size, members.length, 'an event is in one group');
    t.ok(groups.every(({ length }) => length > 1));
  }
  const told = all.map(({ groups }) => groups.map((group) => group.join('')).join(' '));
  t.equal(new Set(told).size, told.length, 'each grouping is tried once');
  const firstRare = all.findIndex(({ isRare }) => isRare);
  t.ok(firstRare < 0 || all.slice(firstRare).every(({ isRare }) => isRare), 'rare ones come last');
  return firstRare < 0
    ? { likely: told, rare: [] }
    : { likely: told.slice(0, firstRare), rare: told.slice(firstRare) };
}

t.test('three events', async (t) => {
  const { likely, rare } = groupings(3, []);
  t.strictSame(likely, ['', '012', '01', '02', '102', '10', '12', '201', '20', '21']);
  t.strictSame(rare, []);
});

t.test('four events, of which nothing tells', async (t) => {
  const { likely, rare } = groupings(4, []);
  t.strictSame(likely, ['']);
  t.equal(rare[0], '0123');
  for (const group of ['012', '123', '23', '01 23', '02 13', '12 03'])
    t.ok(rare.includes(group), group);
  t.equal(rare.length, 11 + 3);
});

t.test('groups that were stopped one after the other may be there at once', async (t) => {
  const { likely, rare } = groupings(5, [
    [0, 3],
    [1, 4],
  ]);
  t.strictSame(likely, ['', '14', '03']);
  t.strictSame(rare, ['14 03']);
});
