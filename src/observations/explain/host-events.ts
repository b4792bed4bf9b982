/** The host's events that a recording may show: those that it tells of, as perf may have been asked for them. */
import type { EventSpec } from '../../model/world-spec.js';
import {
  type CounterSet,
  counterName,
  FIXED_BIT,
  GENERAL_PURPOSE,
  PEBS_VIA_PT,
} from '../../pmu/arch/counter-set.js';
import type { PmuCaps } from '../../pmu/arch/cpu-model.js';
import type { Clues } from './clues.js';
import type { EventClue } from './event-clues.js';
import { type Groups, groupsOf, stoppedGroups } from './groups.js';
import { type Guests, leftOut } from './guests.js';

/** Of the ways in which they may have been opened. */
const VARIANTS_MAX = 14;

export interface HostEvents {
  readonly events: EventSpec[];
  /** In words. */
  readonly ofEvents: readonly string[];
  /** Whether some of its events were on, and off, when the recording began; all null where nothing tells. */
  readonly wereOn: readonly (boolean | null)[];
  /** Whether anything in the recording speaks for its group, if it has one. */
  readonly isLikely: boolean;
  /** One of many that are tried once nothing else fits. */
  readonly isRare: boolean;
}

/** Each way in which they may stand together, beside guests. */
export function* hostEvents(caps: PmuCaps, clues: Clues, guests: Guests): Generator<HostEvents> {
  const { counters: ofGuests, areMoved } = guests;
  const isOfHost = ({ counter, guestOnly }: EventClue): boolean =>
    (ofGuests & (1 << counter)) === 0 || (areMoved && !guestOnly);
  const hasGuests = guests.vcpus.length > 0;
  for (const all of clueEvents(caps, clues)) {
    const told = all.filter(isOfHost);
    const below = eventsBelow(told, ofGuests);
    for (const seen of below.length === 0 ? [told] : [told, [...told, ...below]]) {
      yield* arranged(seen, caps, clues, hasGuests);
    }
  }
}

/** Events of the host that a guest's events may have found in their way: perf gives them the lowest counters that are free. */
function eventsBelow(told: readonly EventClue[], ofGuests: CounterSet): EventClue[] {
  const counters = Array.from({ length: FIXED_BIT }, (_, counter) => counter);
  return counters
    .filter((counter) => (ofGuests & GENERAL_PURPOSE) >>> counter > 1)
    .filter((counter) => (ofGuests & (1 << counter)) === 0)
    .filter((counter) => !told.some((event) => event.counter === counter))
    .map((counter) => unseen(counter, false, false));
}

/** An event that nothing is known of but its counter. */
function unseen(counter: number, precise: boolean, guestOnly: boolean): EventClue {
  const nothing = { dataCfgs: [0], adjusted: false, notAdjusted: false, moved: false };
  return { counter, precise, guestOnly, ...nothing, wasOn: null };
}

function* arranged(
  seen: readonly EventClue[],
  caps: PmuCaps,
  clues: Clues,
  hasGuests: boolean,
): Generator<HostEvents> {
  const precise = seen.some((event) => event.precise);
  const movers = seen.some(({ moved }) => moved) ? [false, true] : [false];
  const isTold = seen.every(({ adjusted, notAdjusted }) => adjusted || notAdjusted);
  const freqs = clues.hasSections && !isTold ? [false, true] : [false];
  const told = new Set([...stoppedGroups(seen, clues)].map(String));
  for (const excludeGuest of hasGuests && precise ? [true, false] : [true]) {
    for (const { groups, isRare } of groupsOf(seen, clues)) {
      for (const freq of freqs) {
        for (const moverFirst of movers) {
          const how = { caps, clues, freq, excludeGuest, groups, moverFirst };
          const specs = seen
            .flatMap((event, at) => variantsOf(event, at, how))
            .slice(0, VARIANTS_MAX)
            .map(disabledWhereTaken);
          const events = inOrder(specs, groups);
          yield {
            events,
            ofEvents: specs.map(toldEvent),
            wereOn: wereOn(seen, clues),
            isLikely: !isRare && groups.every((group) => told.has(String(group))),
            isRare,
          };
        }
      }
    }
  }
}

/** Where records are missing, what was seen first says nothing of the beginning. */
function wereOn(seen: readonly EventClue[], { hasGaps }: Clues): (boolean | null)[] {
  return hasGaps ? [] : seen.map((event) => event.wasOn);
}

interface Arrangement {
  readonly caps: PmuCaps;
  readonly clues: Clues;
  readonly freq: boolean;
  readonly excludeGuest: boolean;
  readonly groups: Groups;
  /** An event that moved was there from the beginning. */
  readonly moverFirst: boolean;
}

/** The ways in which an event may have been opened. Where perf treated it in two ways, two events followed each other on the counter. */
function variantsOf(
  { counter, precise, guestOnly, dataCfgs, adjusted, notAdjusted, moved, wasOn }: EventClue,
  at: number,
  { caps, clues, freq, excludeGuest, groups, moverFirst }: Arrangement,
): EventSpec[] {
  const cfgs = precise && caps.pebsBaseline ? dataCfgs : [undefined];
  const freqs = adjusted && notAdjusted ? [true, false] : [adjusted || (freq && !notAdjusted)];
  const counters = moved ? [counterName(counter), undefined] : [counterName(counter)];
  if (moverFirst) counters.reverse();
  const [leader] = groups.find((group) => group.includes(at)) ?? [at];
  const specs = counters.flatMap((name) =>
    cfgs.flatMap((dataCfg) =>
      freqs.map(
        (isFreq): EventSpec => ({
          ...(name === undefined ? {} : { counter: name }),
          precise_ip: precise ? 2 : 0,
          ...(isFreq ? { sample_freq: 4000 } : { sample_period: 100003 }),
          exclude_guest: excludeGuest && !guestOnly,
          exclude_host: guestOnly,
          ...(dataCfg === undefined ? {} : { pebs_data_cfg: dataCfg }),
          ...(precise && clues.pebsBits & PEBS_VIA_PT ? { aux_output: true } : {}),
          ...(wasOn === false && !clues.hasGaps ? { disabled: true } : {}),
          ...(leader === at ? {} : { group_leader: `e${leader}` }),
        }),
      ),
    ),
  );
  return specs.map((spec, nth) => ({ name: nth === 0 ? `e${at}` : `e${at}_${nth}`, ...spec }));
}

/** Another one was there first, so that this one came later. */
function disabledWhereTaken(spec: EventSpec, at: number, all: readonly EventSpec[]): EventSpec {
  const place = ({ name }: EventSpec): string => name!.replace(/_.*/, '');
  const isTaken = all
    .slice(0, at)
    .some((other) => other.counter === spec.counter || place(other) === place(spec));
  return isTaken ? { ...spec, disabled: true } : spec;
}

/** The leader of a group is opened before its members. */
function inOrder(specs: readonly EventSpec[], groups: Groups): EventSpec[] {
  const leaders = groups.map(([leader]) => `e${leader}`);
  const isLeader = ({ name }: EventSpec): boolean => leaders.includes(name!);
  return [...specs.filter(isLeader), ...specs.filter((spec) => !isLeader(spec))];
}

/** Events that were started, and those that only their bits in other registers tell of. */
function* clueEvents(caps: PmuCaps, clues: Clues): Generator<EventClue[]> {
  const { counters: absent } = leftOut(caps, clues);
  let events = [...clues.events];
  const add = (counters: CounterSet, precise: boolean): void => {
    for (let counter = 0; counter < 32; counter += 1) {
      const bit = 1 << counter;
      const isSeen = events.some((event) => event.counter === counter);
      if (counters & caps.intelCtrl & bit && !isSeen) {
        events.push(unseen(counter, precise, (absent & bit) !== 0));
      }
    }
  };
  add(clues.pebsBits, true);
  add(clues.overflowed, false);
  if (clues.writesFixed && !events.some(({ counter }) => counter >= FIXED_BIT)) {
    add(1 << FIXED_BIT, false);
  }
  yield events;
  // Some kernels write IA32_PEBS_ENABLE without any such event, and records may be those of one that nothing stops. On which counter one
  // does PEBS is not told, and any would do.
  const isOfHost = (event: EventClue): boolean => event.precise && !event.guestOnly;
  const mayBeUnseen = clues.pebsBits === 0 ? clues.hasPebs : clues.findsRecords;
  if (mayBeUnseen && (clues.pebsBits & ~absent) === 0 && !events.some(isOfHost)) {
    const taken = events.reduce((all, { counter }) => all | (1 << counter), 0);
    events = [...events];
    add(~taken & (taken + 1), true);
    yield events;
  }
}

function toldEvent(event: EventSpec): string {
  const { name, counter, precise_ip, exclude_guest, exclude_host, group_leader } = event;
  const parts = [
    precise_ip ? 'precise' : 'not precise',
    event.sample_freq === undefined ? 'with a fixed period' : 'in frequency mode',
    ...(exclude_guest ? ['exclude_guest'] : []),
    ...(exclude_host ? ['exclude_host'] : []),
    ...(group_leader === undefined ? [] : [`in the group of ${group_leader}`]),
  ];
  return `event ${name} on ${counter ?? 'any counter'}: ${parts.join(', ')}`;
}
