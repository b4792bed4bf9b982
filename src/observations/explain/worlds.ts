/**
 * The machines that may have made a recording, as worlds to follow it in: what is given, and what the recording tells. Where it
 * leaves something open there are several, the most likely first.
 */

import { exploredWorld } from '../../model/explored-world.js';
import { ObservedMachine } from '../../model/recordings/observed-machine.js';
import { codeOfGuestCounters, type Symbols } from '../../model/recordings/symbols.js';
import { formatU64 } from '../../model/values.js';
import { ACTOR_KINDS, type ActorKind } from '../../model/vocabulary.js';
import { WorldError } from '../../model/world-error.js';
import type { EventSpec, HostSpec, VcpuSpec, WorldSpec } from '../../model/world-spec.js';
import {
  COUNTERS,
  type CounterSet,
  counterName,
  FIXED_BIT,
  fromU64,
  GENERAL_PURPOSE,
  PEBS_VIA_PT,
} from '../../pmu/arch/counter-set.js';
import type { CpuModel, PmuCaps } from '../../pmu/arch/cpu-model.js';
import type { KernelVariant } from '../../pmu/kernels/kernel-variant.js';
import { capsOf } from '../../pmu/kernels/pmu-support.js';
import type { Clues } from './clues.js';
import type { EventClue } from './event-clues.js';
import { type Groups, groupsOf, stoppedGroups } from './groups.js';
import { type Guests, type GuestWrite, guestsOf, writingGuests } from './guests.js';

/** What is known of the machine besides its recording. What is absent is inferred. */
export interface GivenWorld extends HostSpec, Pick<WorldSpec, 'events' | 'vcpus' | 'actors'> {}

/** One of the machines that may have made the recording. */
export interface Candidate {
  readonly machine: ObservedMachine;
  /** What was taken to be so, in words. */
  readonly inference: readonly string[];
  readonly beginning: Beginning;
}

/** Where in a run the recording begins. What is not tried first has the more states. */
export const KNOWN_BEGINNINGS = [
  'at_rest',
  'others_closed',
  'closed',
  'disabled',
  'in_guest',
] as const;
export type Beginning = (typeof KNOWN_BEGINNINGS)[number] | 'anywhere';

const BEGINNING_WORDS: Readonly<Record<Beginning, string>> = {
  at_rest: 'the recording begins with all events open and nothing under way',
  others_closed:
    'the recording begins with nothing under way, and events that it starts later were not open yet',
  closed: 'the recording begins with no event open',
  disabled: 'the recording begins with no event enabled, on a host on which none has counted yet',
  in_guest: 'the recording begins in a guest',
  anywhere: 'the recording begins in the middle of a run',
};

const FILTERED =
  'IA32_PERF_GLOBAL_CTRL was not traced, and no MSR that the recording has no write of';

/** More events or vCPUs than that have too many states. */
export const EVENTS_MAX = 8;
/** Of the ways in which they may have been opened. */
const VARIANTS_MAX = 14;
export const VCPUS_MAX = 4;

interface Wish {
  readonly events: EventSpec[];
  readonly vcpus: VcpuSpec[];
  /** Whether guests write registers of their PMUs. */
  readonly guestsWrite: boolean;
  readonly said: readonly string[];
  /** Whether some of its events were on, and off, when the recording began; all null where nothing tells. */
  readonly wereOn: readonly (boolean | null)[];
  /** Whether anything in the recording speaks for its group, if it has one. */
  readonly isLikely: boolean;
  /** One of many that are tried once nothing else fits. */
  readonly isRare: boolean;
}

/** What is recorded: the clues may be those of its beginning alone. */
export interface Recorded {
  readonly clues: Clues;
  readonly vcpus: number;
  readonly symbols: Symbols;
  readonly guestWrites: readonly GuestWrite[];
}

/** All of them, one after the other. */
export function* candidatesOf(
  given: GivenWorld,
  kernel: KernelVariant,
  model: CpuModel,
  recorded: Recorded,
  beginnings: readonly Beginning[],
  isRare: boolean,
): Generator<Candidate> {
  const { clues, vcpus, symbols } = recorded;
  const wishes = [...wishesOf(given, capsOf(kernel, model), clues, vcpus)].filter(
    (wish) => wish.isRare === isRare,
  );
  const machines = new Map<Wish, ObservedMachine | null>();
  for (const beginning of beginnings) {
    const isAnywhere = beginning === 'anywhere';
    for (const wish of wishes) {
      if (!mayBeginSo(beginning, wish, clues)) continue;
      const known = beginning === 'disabled' ? undefined : machines.get(wish);
      const wanted = beginning === 'disabled' ? disabled(wish) : wish;
      const machine = known === undefined ? machineOf(given, recorded, wanted, isAnywhere) : known;
      if (wanted === wish) machines.set(wish, machine);
      if (machine === null) continue;
      const filtered = symbols.isFiltered ? [FILTERED] : [];
      yield {
        machine,
        inference: [...wish.said, ...filtered, BEGINNING_WORDS[beginning]],
        beginning,
      };
    }
  }
}

function mayBeginSo(
  beginning: Beginning,
  { events, vcpus, wereOn, isLikely }: Wish,
  { hasSections }: Clues,
): boolean {
  // Opening or enabling an event takes a section.
  const mayStart = events.length > 0 && hasSections;
  switch (beginning) {
    case 'at_rest':
      return wereOn.length === 0 || wereOn.some((was) => was !== false);
    case 'others_closed':
      return mayStart && wereOn.includes(true) && wereOn.includes(false);
    case 'closed':
    case 'disabled':
      return mayStart && !wereOn.includes(true);
    case 'in_guest':
      return vcpus.length > 0;
    case 'anywhere':
      return isLikely;
  }
}

/** As of a host on which none of the events ever counted: registers that perf leaves as they are still hold 0. */
function disabled(wish: Wish): Wish {
  return { ...wish, events: wish.events.map((event) => ({ ...event, disabled: true })) };
}

/** Null where a world cannot be: a kernel that takes no such event has not made the recording with it. */
function machineOf(
  given: GivenWorld,
  { clues, symbols, guestWrites }: Recorded,
  wish: Wish,
  isAnywhere: boolean,
): ObservedMachine | null {
  const { events, vcpus } = wish;
  const spec: WorldSpec = {
    ...given,
    events,
    vcpus,
    actors: given.actors ?? actorsOf(clues, wish, isAnywhere).map((kind) => ({ kind })),
    nmi_timing: 'late',
    nmi_throttles: 'any',
    nmi_overflows: 'on_arrival',
    guest_writes: guestWrites.map(({ of, value }) => ({
      msr: `0x${of.toString(16)}`,
      value: formatU64(value),
    })),
  };
  try {
    return new ObservedMachine(exploredWorld(spec), symbols, isAnywhere);
  } catch (error) {
    if (error instanceof WorldError) return null;
    throw error;
  }
}

function* wishesOf(
  given: GivenWorld,
  caps: PmuCaps,
  clues: Clues,
  vcpuCount: number,
): Generator<Wish> {
  const absent = absentFromHost(caps, clues);
  const known = given.vcpus && [[{ vcpus: given.vcpus, counters: absent, write: true, said: '' }]];
  const inferred = clues.guestWrites.some(({ of }) => codeOfGuestCounters(of) !== undefined)
    ? writingGuests(vcpuCount, absent, usedIn(clues), clues.guestWrites)
    : guestsOf(vcpuCount, absent, absent & clues.pebsBits);
  for (const likely of known ?? inferred) {
    yield* inTurn(likely.map((guests) => wishesWith(guests, given, caps, clues)));
  }
}

function usedIn({ events }: Clues): CounterSet {
  return events.reduce((all, { counter }) => all | (1 << counter), 0);
}

/** Each way in which the host's events may stand beside guests. */
function* wishesWith(
  { vcpus, counters, write: guestsWrite, said }: Guests,
  given: GivenWorld,
  caps: PmuCaps,
  clues: Clues,
): Generator<Wish> {
  const hasGuests = vcpus.length > 0;
  for (const { ofEvents, ...ofHost } of eventsOf(given, caps, clues, hasGuests, counters)) {
    const told = [
      ...(given.vcpus === undefined ? [said] : []),
      ...(given.events === undefined ? ofEvents : []),
    ];
    yield { ...ofHost, vcpus, guestsWrite, said: told };
  }
}

/** The likeliest of each first. */
function* inTurn<T>(lists: readonly Generator<T>[]): Generator<T> {
  for (let left = lists; left.length > 0; ) {
    const nexts = left.map((list) => list.next());
    for (const { done, value } of nexts) if (!done) yield value;
    left = left.filter((_, at) => !nexts[at]!.done);
  }
}

/** Counters that perf leaves out of IA32_PERF_GLOBAL_CTRL at some time: their events count in guests only. */
function absentFromHost(caps: PmuCaps, { globalCtrls }: Clues): CounterSet {
  // perf writes no bits that the CPU does not have, and 0 is not among them.
  const possible = globalCtrls
    .map((value) => fromU64(value))
    .filter(({ set, fits }) => fits && (set & COUNTERS & ~caps.intelCtrl) === 0)
    .map(({ set }) => set);
  return possible.reduce((all, set) => all | (caps.intelCtrl & ~set), 0);
}

interface HostEvents extends Pick<Wish, 'events' | 'wereOn' | 'isLikely' | 'isRare'> {
  /** In words. */
  readonly ofEvents: readonly string[];
}

/** The events of the host: each way in which they may stand together. */
function* eventsOf(
  { events }: GivenWorld,
  caps: PmuCaps,
  clues: Clues,
  hasGuests: boolean,
  ofGuests: CounterSet,
): Generator<HostEvents> {
  if (events !== undefined) {
    yield { events, ofEvents: [], wereOn: [], isLikely: true, isRare: false };
    return;
  }
  for (const all of clueEvents(caps, clues)) {
    const told = all.filter(({ counter }) => (ofGuests & (1 << counter)) === 0);
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

/** What an event may have been: events that were there one after the other are told apart by what perf did with them. */
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
  const absent = absentFromHost(caps, clues);
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

/** Whom the recording shows; in the middle of a run anyone may have acted before. */
function actorsOf(clues: Clues, { vcpus, guestsWrite }: Wish, isAnywhere: boolean): ActorKind[] {
  const isOpen = isAnywhere || clues.hasGaps;
  const hasSections = clues.hasSections || vcpus.length === 0;
  const acts: Partial<Record<ActorKind, boolean>> = {
    nmi_throttle: clues.hasNmis || isOpen,
    foreign_nmi: clues.hasNmis,
    nmi_reset: clues.hasResets,
    bpf_snapshot: clues.setsPebsInNmi && !isOpen,
    tick: hasSections,
    pmu_section: hasSections,
    event_add: hasSections || isOpen,
    event_del: hasSections || isOpen,
    event_enable: hasSections || isOpen,
    event_disable: hasSections || isOpen,
    guest_wrmsr: clues.guestWrites.length > 0 || (guestsWrite && vcpus.some(({ wrmsr }) => wrmsr)),
    fastpath_reenter: clues.hasFastExits,
    vmfail: clues.hasFailedEntries,
  };
  return ACTOR_KINDS.filter((kind) => acts[kind] === true);
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
