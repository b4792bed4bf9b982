/** The groups that the events of a recording may have been in. */
import { FIXED_BIT } from '../../pmu/arch/counter-set.js';
import type { Clues } from './clues.js';
import type { EventClue } from './event-clues.js';

/** Groups that are there at the same time, each with its leader first. */
export type Groups = readonly (readonly number[])[];

/** None first, then those that handlers stopped together, and those of few events. */
export function* groupsOf(
  events: readonly EventClue[],
  clues: Clues,
): Generator<{ readonly groups: Groups; readonly isRare: boolean }> {
  yield { groups: [], isRare: false };
  const told = new Set<string>();
  const isNew = (group: readonly number[]): boolean => {
    if (group.length < 2 || told.has(group.join())) return false;
    told.add(group.join());
    return true;
  };
  const stopped = [...stoppedGroups(events, clues)].filter(isNew);
  for (const group of [...stopped, ...[...smallGroups(events)].filter(isNew)]) {
    yield { groups: [group], isRare: false };
  }
  const ofFour = events.length === 4 ? groupsOfFour() : [];
  for (const group of ofFour.filter(isNew)) yield { groups: [group], isRare: true };
  const pairs = [...stopped, ...ofFour.filter(({ length }) => length === 2)];
  for (const [at, one] of pairs.entries()) {
    for (const other of pairs.slice(at + 1)) {
      if (one.some((event) => other.includes(event))) continue;
      if (isNew([...one, -1, ...other])) yield { groups: [one, other], isRare: true };
    }
  }
}

/** The groups that four events can be, where the first of a group to be seen leads it; the largest first. */
function groupsOfFour(): number[][] {
  const sets = Array.from({ length: 16 }, (_, set) =>
    [0, 1, 2, 3].filter((event) => set & (1 << event)),
  );
  return sets.filter(({ length }) => length > 1).sort((a, b) => b.length - a.length);
}

/** Those stopped together, and what such groups have in common taken as one. */
export function* stoppedGroups(events: readonly EventClue[], clues: Clues): Generator<number[]> {
  const stopped = clues.stoppedTogether.map((counters) =>
    counters.flatMap((counter) => {
      const at = events.findIndex((event) => event.counter === counter);
      return at < 0 ? [] : [at];
    }),
  );
  const joined = [...stopped];
  for (const members of stopped) {
    const others = stopped.filter((other) => other.some((at) => members.includes(at)));
    joined.unshift([...new Set([...members, ...others.flat()])]);
  }
  for (const members of joined) {
    // Fixed counters are stopped last, whatever their place.
    const isFixed = (at: number): boolean => events[at]!.counter >= FIXED_BIT;
    yield members;
    for (const leader of members.filter(isFixed)) {
      yield [leader, ...members.filter((at) => at !== leader)];
    }
  }
}

/** Every way in which two or three events can be a group. */
function* smallGroups(events: readonly EventClue[]): Generator<number[]> {
  if (events.length > 3) return;
  for (const leader of events.keys()) {
    const others = [...events.keys()].filter((at) => at !== leader);
    yield [leader, ...others];
    if (others.length > 1) for (const other of others) yield [leader, other];
  }
}
